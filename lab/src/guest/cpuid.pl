# Tells what CPUID answers inside this guest, read anew for each connection on TCP port 7001, in the raw form of
# the program cpuid: `   0x00000001 0x00: eax=0x… ebx=0x… ecx=0x… edx=0x…`. One logical CPU.
use strict;
use warnings;
use IO::Socket::INET;

my $listener = IO::Socket::INET->new(LocalPort => 7001, Listen => 4, ReuseAddr => 1) or die "cpuid: $!";
# Leaves whose sub-leaves hold features.
my %subleaves = (0x7 => [0, 1, 2], 0xd => [0, 1]);

# The device takes the leaf as the low half of the position, and the sub-leaf as the high one.
sub ask {
    my ($leaf, $subleaf) = @_;
    open(my $device, "<:raw", "/dev/cpu/0/cpuid") or die "cpuid: $!";
    sysseek($device, $leaf + ($subleaf << 32), 0);
    sysread($device, my $words, 16) == 16 or die "cpuid: short answer";
    return unpack("V4", $words);
}

sub report {
    my ($client) = @_;
    print $client "CPU:\n";
    for my $first (0, 0x40000000, 0x80000000) {
        my ($last) = ask($first, 0);
        next if $last < $first || $last > $first + 0xff;
        for my $leaf ($first .. $last) {
            for my $subleaf (@{ $subleaves{$leaf} || [0] }) {
                printf $client "   0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n",
                    $leaf, $subleaf, ask($leaf, $subleaf);
            }
        }
    }
}

while (my $client = $listener->accept()) {
    eval { report($client); 1 } or print $client $@;
    close($client);
}
