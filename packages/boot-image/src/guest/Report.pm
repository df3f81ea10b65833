# From CPUID words to text: which leaves there are to ask for, the words as a dump, and the report.
package Report;
use strict;
use warnings;

# That the report asks for.
our @msrs = (0x3a, 0xce, 0xc0011004);

# How many subleaves a leaf has: "type" and "level" end at a subleaf that says none, "count" tells the last in
# EAX of the first, "states" tells by a bit each which there are, "classes" likewise by EBX or EDX.
my %subleaves = (
    0x4 => "type", 0x7 => "count", 0xb => "level", 0xd => "states", 0xf => "classes", 0x10 => "classes",
    0x12 => "sections", 0x14 => "count", 0x17 => "count", 0x18 => "count", 0x1a => "none", 0x1d => "count",
    0x1e => "count", 0x1f => "level", 0x20 => "count", 0x23 => "classes", 0x24 => "count",
    0x8000001d => "type", 0x80000020 => "classes", 0x80000026 => "level",
);

# All leaves and subleaves of one CPU; $cpuid->(leaf, subleaf) gives EAX, EBX, ECX, EDX.
sub leaves {
    my ($cpuid) = @_;
    my @bases = (0);
    my @first = $cpuid->(1, 0);
    push @bases, 0x40000000 if $first[2] >> 31 & 1;
    push @bases, 0x80000000;
    my @leaves;
    for my $base (@bases) {
        my ($last) = $cpuid->($base, 0);
        # A CPU that does not know a range answers with another leaf's words.
        $last = $base if $last < $base || $last > $base + 0xff;
        push @leaves, map { my $leaf = $_; map { [ $leaf, @$_ ] } subleaves($cpuid, $leaf) } $base .. $last;
    }
    return \@leaves;
}

# [subleaf, EAX, EBX, ECX, EDX] each.
sub subleaves {
    my ($cpuid, $leaf) = @_;
    my $kind = $subleaves{$leaf} // "none";
    my @first = $cpuid->($leaf, 0);
    my @found = ([ 0, @first ]);
    my $last = { none => 0, count => $first[0] > 63 ? 63 : $first[0] }->{$kind} // 63;
    my @second = $kind eq "states" ? $cpuid->($leaf, 1) : ();
    my $states = @second ? $first[0] | $first[3] << 32 | $second[2] | $second[3] << 32 | 2 : 0;
    my $classes = ($leaf == 0x23 ? $first[0] : $leaf == 0xf ? $first[3] : $first[1]) | 1;
    for my $subleaf (1 .. $last) {
        next if $kind eq "states" && !($states >> $subleaf & 1);
        next if $kind eq "classes" && ($subleaf > 31 || !($classes >> $subleaf & 1));
        my @words = $cpuid->($leaf, $subleaf);
        push @found, [ $subleaf, @words ];
        last if $kind eq "type" && !($words[0] & 0x1f);
        last if $kind eq "level" && !($words[2] >> 8 & 0xff);
        last if $kind eq "sections" && $subleaf > 1 && !($words[0] & 0xf);
    }
    return @found;
}

# The words as `cpuid -r` prints them, and below the model-specific registers of the first CPU.
sub dump_text {
    my (@cpus) = @_;
    my $text = "";
    for my $cpu (@cpus) {
        $text .= "CPU $cpu->{id}:\n";
        $text .= sprintf "   0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n", @$_ for @{ $cpu->{leaves} };
    }
    my $msrs = $cpus[0]{msrs};
    for my $msr (sort { $a <=> $b } keys %$msrs) {
        my ($low, $high) = @{ $msrs->{$msr} };
        $text .= sprintf "MSR %08X: %04X-%04X-%04X-%04X\n", $msr, map { $_ >> 16, $_ & 0xffff } $high, $low;
    }
    return $text;
}

# The rules of a file, by their first field.
sub rules {
    my ($path) = @_;
    my %rules;
    open my $file, "<", $path or die "$path: $!\n";
    while (my $line = <$file>) {
        chomp $line;
        my ($kind, @fields) = split /\t/, $line, -1;
        push @{ $rules{$kind} }, \@fields;
    }
    return \%rules;
}

# The report of CPUs: its lines are the first one's; what the machine can do is what each of them can.
sub text {
    my ($rules, @cpus) = @_;
    my ($first) = @cpus;
    my $has = features_of($rules, $first);
    my ($on_all, $on_some) = on_cores($rules, @cpus);
    my $facts = facts_of($first);
    my %answers = map { $_->[0] => $has->{ $_->[1] } ? "yes" : "no" } @{ $rules->{answers} };
    my @sse = map { $_->[1] } grep { $has->{ $_->[0] } } @{ $rules->{sse} };
    my @modes = map { $_->[0] } grep { $_->[1] eq $facts->{vendor} && all($on_all, $_->[2]) } @{ $rules->{mode} };
    my ($flex, $flex_note) = decide($rules, "flexMigration", $facts, flex_case($facts, $first));
    my ($vmware64, $vmware64_note) = decide($rules, "vmware64", $facts, vmware64_case($facts, $on_all, $on_some, $first));
    @answers{"flexMigration", "vmware64"} = ($flex, $vmware64);
    @answers{"brand", "sse", "evcModes"} = map { $_ ? "some" : "none" } $facts->{brand} ne "", @sse + 0, @modes + 0;
    my @notes = grep { $_ ne "" } $flex_note, $vmware64_note, virtual_note($rules, $facts), difference_notes($rules, @cpus);

    my ($vendor) = map { $_->[1] } grep { $_->[0] eq $facts->{vendor} } @{ $rules->{vendor} };
    my %words = (
        %$facts,
        cpus => scalar @cpus,
        vendor => $vendor // $facts->{vendor},
        sse => join(", ", @sse),
        modes => join(", ", @modes),
    );
    my $text = "";
    for my $line (@{ $rules->{line} }) {
        my ($key, $answer, $template) = @$line;
        next if $key ne "" && $key ne "notes" && $answers{$key} ne $answer;
        $text .= fill($template, %words, note => $_) . "\n" for $key eq "notes" ? @notes : "";
    }
    return $text;
}

# Every {name} by its word; what a word holds is not looked at again.
sub fill {
    my ($template, %words) = @_;
    $template =~ s/\{(\w+)\}/$words{$1} \/\/ "{$1}"/ge;
    return $template;
}

sub leaf {
    my ($cpu, $leaf, $subleaf) = @_;
    for (@{ $cpu->{leaves} }) { return @$_[2 .. 5] if $_->[0] == $leaf && $_->[1] == $subleaf }
    return;
}

sub bit { my ($word, $bit) = @_; return ($word // 0) >> $bit & 1 }

# The names of the features that a CPU has; a leaf that it does not have has none.
sub features_of {
    my ($rules, $cpu) = @_;
    my %words = map { ("$_->[0].$_->[1]" => $_) } @{ $cpu->{leaves} };
    my %has;
    for (@{ $rules->{feature} }) {
        my ($name, $leaf, $subleaf, $register, $bit) = @$_;
        my $words = $words{"$leaf.$subleaf"} or next;
        $has{$name} = 1 if bit($words->[ 2 + $register ], $bit);
    }
    return \%has;
}

# What each logical CPU has, and what at least one has. What a system has switched on at run time is the first one's.
sub on_cores {
    my ($rules, $first, @others) = @_;
    my $of_first = features_of($rules, $first);
    my %all = my %some = %$of_first;
    for my $has (map { features_of($rules, $_) } @others) {
        for (grep { $_->[5] } @{ $rules->{feature} }) {
            my $name = $_->[0];
            if ($has->{$name}) { $some{$name} = 1 }
            else { delete $all{$name} }
        }
    }
    return (\%all, \%some);
}

sub all { my ($has, $names) = @_; return !grep { !$has->{$_} } split / /, $names }

# What the identity leaves say.
sub facts_of {
    my ($cpu) = @_;
    my @zero = leaf($cpu, 0, 0);
    my @one = leaf($cpu, 1, 0);
    my @extended = leaf($cpu, 0x80000001, 0);
    my ($family, $model, $stepping) = signature($one[0] // 0);
    my @brand = map { leaf($cpu, $_, 0) } 0x80000002 .. 0x80000004;
    my $brand = @brand == 12 ? pack "V12", @brand : "";
    $brand =~ s/\0.*//s;
    $brand =~ s/[^\x20-\x7e]/?/g;
    $brand =~ s/^ +| +$//g;
    my @hypervisor = leaf($cpu, 0x40000000, 0);
    my $hypervisor = pack "V3", @hypervisor[1 .. 3] if @hypervisor;
    $hypervisor =~ s/\0.*//s if defined $hypervisor;
    return {
        vendor => pack("V3", @zero[1, 3, 2]) =~ s/\0+$//r,
        brand => $brand,
        family_number => $family, model_number => $model,
        family => sprintf("%02x", $family), model => sprintf("%02x", $model), stepping => sprintf("%x", $stepping),
        id1ecx => hex32($one[2]), id1edx => hex32($one[3]),
        id81ecx => hex32($extended[2]), id81edx => hex32($extended[3]),
        virtual => bit($one[2], 31),
        hypervisor => defined $hypervisor && $hypervisor =~ /^[\x20-\x7e]+$/ ? $hypervisor =~ s/^ +| +$//gr : undef,
    };
}

sub hex32 { my ($word) = @_; return defined $word ? sprintf "0x%08x", $word : "Unknown" }

sub signature {
    my ($eax) = @_;
    my ($family, $model) = ($eax >> 8 & 0xf, $eax >> 4 & 0xf);
    $model |= ($eax >> 16 & 0xf) << 4 if $family == 6 || $family == 15;
    $family += $eax >> 20 & 0xff if $family == 15;
    return ($family, $model, $eax & 0xf);
}

# The case's number among all combinations of what can be observed; the last changes fastest.
sub case_of {
    my $number = 0;
    while (my ($count, $value) = splice @_, 0, 2) { $number = $number * $count + $value }
    return $number;
}

sub flex_case {
    my ($facts, $cpu) = @_;
    my $platform = $cpu->{msrs}{0xce};
    my ($leaf21) = leaf($cpu, 0x80000021, 0);
    return case_of(
        2 => $facts->{virtual},
        3 => $platform ? 1 + bit($platform->[0], 31) : 0,
        2 => $cpu->{msrs}{0xc0011004} ? 1 : 0,
        2 => bit($leaf21, 17),
    );
}

sub vmware64_case {
    my ($facts, $on_all, $on_some, $cpu) = @_;
    my $control = $cpu->{msrs}{0x3a};
    my $off = $control && ($control->[0] & 5) == 1;
    return case_of(
        2 => $facts->{virtual},
        (map { (2 => $on_all->{$_} ? 1 : 0) } "lm", "vmx", "svm"),
        2 => $on_some->{"lmsle-unsupported"} ? 1 : 0,
        3 => !$control ? 0 : $off ? 2 : 1,
        3 => $facts->{brand} eq "" ? 0 : $facts->{brand} =~ /opteron|turion/i ? 1 : 2,
    );
}

# The answer to a question and its note, from the row of the CPU's kind.
sub decide {
    my ($rules, $question, $facts, $case) = @_;
    my @kinds = grep { $_->[0] eq $question } @{ $rules->{kinds} };
    my @own = grep { $_->[1] eq $facts->{vendor} } @kinds;
    @own = grep { $_->[1] eq "{vendor}" } @kinds if !@own;
    # Families that the table leaves out: those that no 64-bit CPU has count as 5, those to come as its last.
    my $beyond = $facts->{family_number} < 15 ? "5.255" : "31.255";
    my ($row) = map { my $kind = $_; grep { " $_->[2] " =~ / \Q$kind\E / } @own }
        "$facts->{family_number}.$facts->{model_number}", $beyond;
    my $number = (split / /, $row->[3])[$case];
    my ($choice) = grep { $_->[0] eq $question && $_->[1] == $number } @{ $rules->{choice} };
    return ($choice->[2], fill($choice->[3], vendor => $facts->{vendor}));
}

sub note {
    my ($rules, $name, %words) = @_;
    my ($note) = grep { $_->[0] eq $name } @{ $rules->{note} };
    return fill($note->[1], %words);
}

sub virtual_note {
    my ($rules, $facts) = @_;
    return "" if !$facts->{virtual};
    return note($rules, "virtual-unknown") if !defined $facts->{hypervisor};
    return note($rules, "virtual", hypervisor => $facts->{hypervisor});
}

# One for each kind of CPU that is not like the first.
sub difference_notes {
    my ($rules, @cpus) = @_;
    my (%kinds, @order);
    for my $cpu (@cpus) {
        my $has = features_of($rules, $cpu);
        my %compared = map { $_->[0] => 1 } grep { $_->[5] && $has->{ $_->[0] } } @{ $rules->{feature} };
        my ($eax) = leaf($cpu, 1, 0);
        my $key = join " ", $eax, sort keys %compared;
        push @order, $kinds{$key} = { ids => [], eax => $eax, has => \%compared } if !$kinds{$key};
        push @{ $kinds{$key}{ids} }, $cpu->{id};
    }
    my ($first, @others) = @order;
    return map { difference_note($rules, $first, $_) } @others;
}

sub difference_note {
    my ($rules, $first, $kind) = @_;
    my @lacks = grep { !$kind->{has}{$_} } sort keys %{ $first->{has} };
    my @adds = grep { !$first->{has}{$_} } sort keys %{ $kind->{has} };
    my ($family, $model, $stepping) = map { sprintf "%x", $_ } signature($kind->{eax});
    my $told = (@lacks ? 1 : 0) + (@adds ? 2 : 0) + ($kind->{eax} != $first->{eax} ? 4 : 0);
    return note(
        $rules, "difference-$told",
        cpus => ranges(@{ $kind->{ids} }), lacks => join(", ", @lacks), adds => join(", ", @adds),
        family => $family, model => $model, stepping => $stepping,
    );
}

# "0-3, 8".
sub ranges {
    my @runs;
    for my $id (sort { $a <=> $b } @_) {
        if (@runs && $runs[-1][1] == $id - 1) { $runs[-1][1] = $id }
        else { push @runs, [ $id, $id ] }
    }
    return join ", ", map { $_->[0] == $_->[1] ? $_->[0] : "$_->[0]-$_->[1]" } @runs;
}

1;
