# Dirties memory at a set rate, where there is no compiler for dirtier.c; under an emulator it reaches a few MiB/s. On TCP port 7000, one command a connection:
#   dirty MIB RATE COMPRESSIBLE   writes to MIB mebibytes in turn, RATE mebibytes a second; of each page the
#                                 share COMPRESSIBLE (percent) is zeros, the rest random
#   dirty 0 0 0                   stops
#   status                        what it does
# Answers one line and closes.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;

$| = 1;
my $page  = 4096;
my $slice = 0.01;
my ($mib, $rate, $compressible) = (0, 0, 0);
my ($memory, $at, $due, @patterns) = ("", 0, 0);

my $listener = IO::Socket::INET->new(LocalPort => 7000, Listen => 4, ReuseAddr => 1) or die "dirtier: $!";
my $select = IO::Select->new($listener);

# Seconds of the monotonic clock; perl-base has no module for it, the kernel's call is 228.
sub now {
    my $spec = "\0" x 16;
    syscall(228, 1, $spec);
    my ($seconds, $nanoseconds) = unpack("qq", $spec);
    return $seconds + $nanoseconds / 1e9;
}

sub command {
    my ($line) = @_;
    if ($line =~ /^dirty (\d+) (\d+) (\d+)\s*$/ && $3 <= 100) {
        ($mib, $rate, $compressible) = ($1, $2, $3);
        $memory = "";
        $memory = "\0" x ($mib * 1048576) if $mib > 0;
        my $random = int($page * (100 - $compressible) / 100);
        # Few patterns, each with a counter of its own: no page is written with what it holds already.
        @patterns = map { join("", map { pack("N", int(rand(2**32))) } 1 .. ($random / 4 || 1)) } 1 .. 16;
        ($at, $due) = (0, now());
        return "ok";
    }
    return "dirtying $mib MiB at $rate MiB/s, $compressible % compressible" if $line =~ /^status/;
    return "usage: dirty MIB RATE COMPRESSIBLE | status";
}

my $count = 0;
while (1) {
    my $wait = $rate > 0 && $mib > 0 ? $slice : 3600;
    for my $ready ($select->can_read($wait)) {
        my $client = $listener->accept() or next;
        $client->timeout(2);
        my $line = <$client>;
        print $client command($line) . "\n" if defined $line;
        close $client;
    }
    next unless $rate > 0 && $mib > 0;
    my $now   = now();
    my $pages = int(($now - $due) * $rate * 1048576 / $page);
    next if $pages < 1;
    $pages = $mib * 256 if $pages > $mib * 256;
    $due = $now;
    for (1 .. $pages) {
        my $pattern = $patterns[$count & 15] . pack("N", $count);
        substr($memory, $at, length $pattern) = $pattern if $at + length($pattern) <= length $memory;
        $count++;
        $at += $page;
        $at = 0 if $at >= length $memory;
    }
}
