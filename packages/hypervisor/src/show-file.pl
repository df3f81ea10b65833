#!/usr/bin/perl
# Makes a file or a block device of the host a part of what a running program sees that `confine-qemu.pl` started, or takes it away again.
# Run by root.
#   show-file.pl PID show|lend|hide PATH
# show   read-only
# lend   to read and to write
# Shown twice it is there once; hidden twice it is not there.
use strict;
use warnings;
use Fcntl qw(O_RDONLY O_WRONLY O_CREAT O_NOFOLLOW);

my %call = (mount => 165, umount => 166, setns => 308, open_tree => 428, move_mount => 429);
my $NEWNS = 0x00020000;
my ($RDONLY, $NOSUID, $NODEV, $REMOUNT, $BIND) = (1, 2, 4, 32, 4096);
my $DETACH = 2;
my $HERE = -100;            # AT_FDCWD
my ($CLONE, $CLOEXEC, $NOFOLLOW) = (1, 02000000, 0x100);
my $EMPTY_PATH = 4;         # MOVE_MOUNT_F_EMPTY_PATH

umask 0022;    # what is made here, QEMU's user passes through
my ($pid, $how, $path) = @ARGV;
my ($root, $empty) = ('/', '');
sysopen my $namespace, "/proc/$pid/ns/mnt", O_RDONLY or failed("the namespace of process $pid");

my ($tree, $device);
if ($how ne 'hide') {
    !-l $path && (-f _ || -b _) or failed($path);
    $device = -b _;
    $tree = syscall($call{open_tree}, $HERE, $path, $CLONE | $CLOEXEC | $NOFOLLOW);
    $tree >= 0 or failed($path);
}
syscall($call{setns}, fileno $namespace, $NEWNS) == 0 or failed("entering the namespace of process $pid");
chdir '/' or failed('/');
if (mounted()) { syscall($call{umount}, $path, $DETACH) == 0 or failed("taking $path away") }
if ($how ne 'hide') {
    remount($root, 0);
    my $made = '';
    my @names = split m{/}, $path;
    for my $name (@names[1 .. $#names - 1]) {
        $made .= "/$name";
        -d $made or mkdir $made or failed($made);
    }
    sysopen my $place, $path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0444 or failed($path);
    close $place;
    remount($root, $RDONLY);
    syscall($call{move_mount}, $tree, $empty, $HERE, $path, $EMPTY_PATH) == 0 or failed("showing $path");
    remount($path, ($how eq 'lend' ? 0 : $RDONLY) | ($device ? 0 : $NODEV));
}

sub remount {
    my ($at, $flags) = @_;
    my ($from, $type, $data) = ('none', '', '');
    syscall($call{mount}, $from, $at, $type, $REMOUNT | $BIND | $NOSUID | $flags, $data) == 0 or failed("changing $at");
}

# By the namespace's own table: the names in it are escaped as the kernel does it.
sub mounted {
    (my $wanted = $path) =~ s/([ \t\n\\])/sprintf '\\%03o', ord $1/ge;
    open my $table, '<', "/proc/$$/mountinfo" or failed('the mounts of the namespace');
    while (<$table>) { return 1 if (split / /)[4] eq $wanted }
    return 0;
}

sub failed {
    my ($what) = @_;
    print STDERR "$what: $!\n";
    exit 1;
}
