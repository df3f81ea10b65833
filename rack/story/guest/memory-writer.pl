# Keeps memory, writes to page after page of it, and knows what each page must hold. On TCP port 7002, one command a connection:
#   keep MIB    so much more from now on
#   look        reads all of it
# Both answer one line: this guest's MemTotal (KiB), pages that are kept, those of them that lie above 4 GiB of its memory, where
# nothing was when it was powered on, pages written, and pages that hold something else than was written to them last.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my $page = 4096;
my $per_mib = 256;
# Pages that are written in a row, and how long it rests then.
my ($row, $rest) = (64, 0.05);
my $listener = IO::Socket::INET->new(LocalPort => 7002, Listen => 4, ReuseAddr => 1) or die "memory-writer: $!";
my $select = IO::Select->new($listener);
# Each with mebibytes as strings, their first page's number among all, and how many writes were made to it, in turn.
my @parts;

# What a page holds after so many writes to its part.
sub content {
    my ($part, $index, $written) = @_;
    my $pages = @{ $part->{mebibytes} } * $per_mib;
    return pack("Q2", $part->{first} + $index, int(($written + $pages - 1 - $index) / $pages));
}

sub keep {
    my ($mib) = @_;
    my $first = 0;
    $first += @{ $_->{mebibytes} } * $per_mib for @parts;
    my $part = { first => $first, written => 0, mebibytes => [] };
    push @{ $part->{mebibytes} }, "\xff" x ($page * $per_mib) for 1 .. $mib;
    write_to($part) for 1 .. $mib * $per_mib;
    push @parts, $part;
}

sub write_to {
    my ($part) = @_;
    my $index = $part->{written} % (@{ $part->{mebibytes} } * $per_mib);
    $part->{written}++;
    substr($part->{mebibytes}[$index / $per_mib], ($index % $per_mib) * $page, 16) = content($part, $index, $part->{written});
}

sub mem_total {
    open(my $file, "<", "/proc/meminfo") or die "memory-writer: $!";
    while (<$file>) { return $1 if /^MemTotal:\s+(\d+) kB/ }
    die "memory-writer: no MemTotal";
}

# Of a mebibyte's pages, those whose frame is above 4 GiB.
sub above {
    my ($map, $mebibyte) = @_;
    my $address = unpack("J", pack("p", $_[1]));
    sysseek($map, int($address / $page) * 8, 0);
    sysread($map, my $frames, $per_mib * 8) == $per_mib * 8 or die "memory-writer: no frames";
    return scalar grep { ($_ >> 63) && ($_ & ((1 << 55) - 1)) >= 1 << 20 } unpack("Q*", $frames);
}

sub look {
    my ($pages, $above, $written, $wrong) = (0, 0, 0, 0);
    open(my $map, "<:raw", "/proc/self/pagemap") or die "memory-writer: $!";
    for my $part (@parts) {
        $written += $part->{written};
        for my $number (0 .. $#{ $part->{mebibytes} }) {
            $above += above($map, $part->{mebibytes}[$number]);
            for my $index ($number * $per_mib .. ($number + 1) * $per_mib - 1) {
                $pages++;
                my $held = substr($part->{mebibytes}[$number], ($index % $per_mib) * $page, 16);
                $wrong++ if $held ne content($part, $index, $part->{written});
            }
        }
    }
    return join(" ", mem_total(), $pages, $above, $written, $wrong);
}

sub answer {
    my ($client) = @_;
    my $line = <$client> // "";
    if ($line =~ /^keep (\d{1,4})$/) { keep($1) }
    elsif ($line !~ /^look$/) { return "usage: keep MIB | look" }
    return look();
}

for (;;) {
    if ($select->can_read($rest)) {
        my $client = $listener->accept() or next;
        my $words = eval { answer($client) } // $@;
        print $client "$words\n";
        close($client);
    }
    for my $part (@parts) { write_to($part) for 1 .. $row }
}
