#!/usr/bin/perl
# Holds a VM's lease on shared storage, and starts the VM's QEMU under it. Started by `sanlock client command`,
# so this process is the one that sanlock knows as the lease's holder; it outlives the agent and, on purpose,
# QEMU. A lease is given back by a decision, never by an end: should this process go, sanlock keeps it.
#   lease-holder.pl FOLDER
# QEMU is killed before this process goes, when sanlock says that the lease cannot be kept (SIGTERM) or ends
# itself; and by the kernel (its parent-death signal), should this process be killed.
#   FOLDER/pid     its own
#   FOLDER/ready   there once it holds the lease      FOLDER/orders  a FIFO: `launch` starts the program, `end` kills it,
#                                                     `open` opens what it writes to from now on, and makes FOLDER/opened
#   FOLDER/opens   there where the holder knows `open`: one of an earlier version takes it for `end`
#   FOLDER/argv    of the program, NUL-separated; first the file that takes its output
#   FOLDER/files   its images, NUL-separated         FOLDER/portals  of its LUNs, ADDRESS:PORT, NUL-separated
#   FOLDER/states  folders of what its TPM keeps, NUL-separated
#   FOLDER/ended   there while no program runs that was started, and nothing that it wrote is under way
#
# What a killed program was writing may be on its way for as long as its storage is away: a kernel's NFS client sends it again
# until the server answers, which may be after another host has started the VM, and its TCP sends what an iSCSI client in
# user space had handed over. A VM's TPM is a process of its own, which QEMU leaves to this one. So the program's end counts only once
# all that is over, and if that takes until the lease runs out, this process is still there, and the watchdog resets the host.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_RDWR O_WRONLY O_CREAT O_APPEND O_NOFOLLOW O_NONBLOCK);

$^F = 1_000_000;    # what is inherited stays open across exec
# As numbers: moves wait for this to start, which the modules that name them would take most of; and nothing is to be loaded
# when this host has lost its storage.
my %call = (fsync => 74, setsid => 112, mknod => 133, prctl => 157, exit_group => 231);
my ($PR_SET_CHILD_SUBREAPER, $WNOHANG, $S_IFIFO) = (36, 1, 0010000);
my ($folder) = @ARGV;
chdir $folder or die "$folder: $!\n";

opendir my $own, '/proc/self/fd' or die "/proc/self/fd: $!\n";
my ($sanlock) = grep { /^\d+$/ && -S "/proc/self/fd/$_" } readdir $own;
closedir $own;
die "no connection to sanlock was inherited\n" unless defined $sanlock;
open my $line, '<&=', $sanlock or die "the connection to sanlock: $!\n";

unlink 'orders', 'ended', 'ready';
my $fifo = 'orders';
syscall($call{mknod}, $fifo, $S_IFIFO | 0600, 0) == 0 or die "orders: $!\n";
sysopen my $orders, 'orders', O_RDWR or die "orders: $!\n";

syscall($call{prctl}, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or die "becoming the parent of what QEMU leaves: $!\n";
my ($qemu, $log, $told) = (0, undef, undef);
my (@images, @portals);
$SIG{TERM} = sub { $told = 'this host can no longer keep the lease of the VM: it lost its storage, or was told to end' };
$SIG{CHLD} = sub { 1 };
$SIG{PIPE} = 'IGNORE';
if (open my $own_pid, '>', 'pid') { print {$own_pid} $$; close $own_pid }
touch('opens');
touch('ready');

until (defined $told) {
    my $ready = '';
    vec($ready, fileno $_, 1) = 1 for $orders, $line;
    my $count = select $ready, undef, undef, 1;
    reap();
    next unless $count > 0;
    if (vec $ready, fileno $line, 1) {
        my $read = sysread $line, my $nothing, 4096;
        $told = 'sanlock has ended on this host, and with it the lease of the VM' if defined $read && $read == 0;
    }
    if (!defined $told && vec $ready, fileno $orders, 1) {
        sysread $orders, my $order, 4096;
        for (split /\n/, $order) {
            if ($_ eq 'launch') { launch() }
            elsif ($_ eq 'open') { open_storage(); touch('opened') }
            else { end('the lease of the VM is given back') }
        }
    }
}

end($told);
exit 0;

sub end {
    my ($why) = @_;
    if ($qemu) {
        note($why);
        kill 'KILL', $qemu;
        unthrottle();
        waitpid $qemu, 0;
        $qemu = 0;
        drain();
    }
    touch('ended');
}

# A limit of the VM's CPUs is of this process too, and of QEMU until it has ended: that must not take longer because of it. In the
# kernel's own file, since systemd may not answer.
sub unthrottle {
    open my $groups, '<', '/proc/self/cgroup' or return;
    my ($group) = map { m{^0::(/.*)$} ? $1 : () } <$groups>;
    close $groups;
    return unless defined $group;
    sysopen my $max, "/sys/fs/cgroup$group/cpu.max", O_WRONLY or return;
    syswrite $max, "max\n";
    close $max;
}

# Where QEMU's own messages are.
sub note {
    my ($text) = @_;
    open my $out, '>>', $log or return;
    print {$out} now(), " $text\n";
    close $out;
}

sub now {
    my ($second, $minute, $hour, $day, $month, $year) = gmtime;
    return sprintf '%04d-%02d-%02dT%02d:%02d:%02dZ', $year + 1900, $month + 1, $day, $hour, $minute, $second;
}

# Waits until nothing that the program wrote is under way.
sub drain {
    end_rest();
    end_connections($_) for @portals;
    read_images();
    sync_states();
}

# The program started others, which are children of this one now. The kernel has killed its TPM with it, which may hang in a write.
sub end_rest {
    if (open my $children, '<', "/proc/$$/task/$$/children") {
        local $/;
        kill 'KILL', split ' ', <$children> // '';
    }
    1 while waitpid(-1, 0) > 0;
}

# A TPM writes its state through the page cache to a new file, and renames that: the kernel would send it later.
sub sync_states {
    for my $folder (listed('states')) {
        for my $name (qw(tpm2-00.permall TMP2-00.permall)) {
            sysopen my $file, "$folder/$name", O_RDONLY | O_NOFOLLOW | O_NONBLOCK or next;
            syscall $call{fsync}, fileno $file;
        }
    }
}

# A connection whose program is gone and that still has something to send is ended by the kernel (SOCK_DESTROY); where it cannot do
# that, or nobody can look, this waits until the connection has ended by itself.
sub end_connections {
    my ($portal) = @_;
    my @filter = (qw(-H -t -n state fin-wait-1 state closing state last-ack dst), $portal);
    my $said = 0;
    until ((my $left = ss(@filter)) eq '') {
        print STDERR "waiting for connections to $portal: $left\n" unless $said++;
        ss('-K', @filter);
        select undef, undef, undef, 0.2;
    }
}

# What it prints; without an answer something that is not empty.
sub ss {
    open my $out, '-|', 'ss', @_ or return 'unknown';
    local $/;
    my $text = <$out> // '';
    return close $out ? $text : 'unknown';
}

# Waits until nothing that was written to the images past the page cache is under way: the kernel lets nobody read through
# the page cache before, of a file that was open already, and no signal interrupts that (nfs_start_io_read, inode_dio_wait).
sub read_images {
    for my $image (@images) {
        sysseek $image, 0, 0;
        sysread $image, my $byte, 1;
        close $image;
    }
    @images = ();
}

sub launch {
    return if $qemu;
    unlink 'ended';
    open my $file, '<', 'argv' or return touch('ended');
    local $/;
    my @argv = split /\0/, <$file>;
    close $file;
    $log = shift @argv;
    open_storage();
    my $pid = fork;
    return touch('ended') unless defined $pid;
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(TERM CHLD PIPE);
        syscall $call{setsid};
        close $_ for $orders, $line, @images;
        if (open my $score, '>', '/proc/self/oom_score_adj') { print {$score} "0\n"; close $score }
        chdir '/';
        open STDIN, '<', '/dev/null';
        sysopen STDOUT, $log, O_WRONLY | O_CREAT | O_APPEND, 0640;
        open STDERR, '>&', \*STDOUT;
        exec { $argv[0] } @argv or print STDERR "$argv[0]: $!\n";
        syscall $call{exit_group}, 127;
    }
    $qemu = $pid;
}

# One that cannot be opened is the storage's own matter: QEMU's user may read what root may not.
sub open_storage {
    @portals = listed('portals');
    @images = ();
    for my $path (listed('files')) {
        if (open my $image, '<', $path) { push @images, $image }
    }
}

sub listed {
    my ($name) = @_;
    open my $list, '<', $name or return ();
    local $/;
    my $text = <$list> // '';
    close $list;
    return split /\0/, $text;
}

sub reap {
    return unless $qemu && waitpid($qemu, $WNOHANG) == $qemu;
    my ($signal, $status) = ($? & 127, $? >> 8);
    if ($signal) { note("QEMU was ended by signal $signal") }
    elsif ($status) { note("QEMU ended with status $status") }
    $qemu = 0;
    drain();
    touch('ended');
}

sub touch {
    my ($name) = @_;
    open my $file, '>', $name or return;
    close $file;
}
