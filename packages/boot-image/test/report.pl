# Prints the image's report of each dump that it is given: perl -I GUEST report.pl RULES <DUMPS
use strict;
use warnings;
use Report;

my $rules = Report::rules($ARGV[0]);
my @cpus;
for (<STDIN>) {
    push @cpus, { id => $1, leaves => [], msrs => {} } if /^CPU (\d+):/;
    push @{ $cpus[-1]{leaves} }, [ map { hex } $1, $2, $3, $4, $5, $6 ]
        if /^ +0x(\w+) 0x(\w+): eax=0x(\w+) ebx=0x(\w+) ecx=0x(\w+) edx=0x(\w+)/;
    $cpus[0]{msrs}{ hex $1 } = [ hex "$4$5", hex "$2$3" ] if /^MSR (\w+): (\w+)-(\w+)-(\w+)-(\w+)/;
    if (/^=== end/) {
        print Report::text($rules, @cpus), $_;
        @cpus = ();
    }
}
