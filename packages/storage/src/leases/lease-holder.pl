#!/usr/bin/perl
# Holds a VM's lease on shared storage, and starts the VM's QEMU under it. Started by `sanlock client command`,
# so this process is the one that sanlock knows as the lease's holder; it outlives the agent and, on purpose,
# QEMU: a lease is given back by a decision, never by a crash.
#   lease-holder.pl FOLDER
# The connection to sanlock is inherited, and passed on to QEMU: should this process be killed, the lease is
# still held for as long as QEMU lives. When sanlock says that the lease cannot be kept (SIGTERM), or ends
# itself, QEMU is killed before this process goes.
#   FOLDER/ready   there once it holds the lease      FOLDER/launch  a FIFO: a line starts the program
#   FOLDER/argv    of the program, NUL-separated; first the file that takes its output
#   FOLDER/ended   there once that program has ended
use strict;
use warnings;
use Fcntl qw(O_RDWR O_WRONLY O_CREAT O_APPEND);
use POSIX qw(WNOHANG mkfifo setsid strftime);

$^F = 1_000_000;    # what is inherited stays open across exec
my ($folder) = @ARGV;
chdir $folder or die "$folder: $!\n";

opendir my $own, '/proc/self/fd' or die "/proc/self/fd: $!\n";
my ($sanlock) = grep { /^\d+$/ && -S "/proc/self/fd/$_" } readdir $own;
closedir $own;
die "no connection to sanlock was inherited\n" unless defined $sanlock;
open my $line, '<&=', $sanlock or die "the connection to sanlock: $!\n";

unlink 'launch', 'ended', 'ready';
mkfifo('launch', 0600) or die "launch: $!\n";
sysopen my $orders, 'launch', O_RDWR or die "launch: $!\n";

my ($qemu, $log, $told) = (0, undef, undef);
$SIG{TERM} = sub { $told = 'this host can no longer keep the lease of the VM: it lost its storage, or was told to end' };
$SIG{CHLD} = sub { 1 };
$SIG{PIPE} = 'IGNORE';
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
        launch();
    }
}

if ($qemu) {
    if (open my $out, '>>', $log) {
        print {$out} strftime('%Y-%m-%dT%H:%M:%SZ ', gmtime), "$told\n";
        close $out;
    }
    kill 'KILL', $qemu;
    waitpid $qemu, 0;
    touch('ended');
}
exit 0;

sub launch {
    return if $qemu;
    unlink 'ended';
    open my $file, '<', 'argv' or return touch('ended');
    local $/;
    my @argv = split /\0/, <$file>;
    close $file;
    $log = shift @argv;
    my $pid = fork;
    return touch('ended') unless defined $pid;
    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw(TERM CHLD PIPE);
        setsid();
        close $orders;
        chdir '/';
        open STDIN, '<', '/dev/null';
        sysopen STDOUT, $log, O_WRONLY | O_CREAT | O_APPEND, 0640;
        open STDERR, '>&', \*STDOUT;
        exec { $argv[0] } @argv or print STDERR "$argv[0]: $!\n";
        POSIX::_exit(127);
    }
    $qemu = $pid;
}

sub reap {
    return unless $qemu && waitpid($qemu, WNOHANG) == $qemu;
    $qemu = 0;
    touch('ended');
}

sub touch {
    my ($name) = @_;
    open my $file, '>', $name or return;
    close $file;
}
