#!/usr/bin/perl
# Runs a program in a mount and an IPC namespace of its own, in which there is nothing but what is named here.
# Everything is read-only but what is named with `rw`. Started by root; the program's user is changed afterwards, by
# the words that follow. It stays the same process, and keeps its open files.
#   confine-qemu.pl ROOT [ro|rw|try|proc|folder PATH]… -- PROGRAM ARGUMENT…
# ROOT     an empty folder that the new root is mounted on, in the new namespace only
# ro, rw   a file, folder or device with its path as on the host; it must be there
# try      as ro; passed over where it is not there
# proc     the processes of its own user
# folder   an empty folder, also where the host has something in it
use strict;
use warnings;
use Errno qw(ENOENT ENOTDIR);

my %call = (mount => 165, umount => 166, pivot_root => 155, unshare => 272, prlimit => 302);
my ($NEWNS, $NEWIPC) = (0x00020000, 0x08000000);
my ($RDONLY, $NOSUID, $NODEV, $NOEXEC, $REMOUNT, $BIND, $REC, $PRIVATE) = (1, 2, 4, 8, 32, 4096, 16384, 1 << 18);
my $DETACH = 2;
my $CORE = 4;    # RLIMIT_CORE

my $umask = umask 0022;    # what is made here, others pass through
my $root = shift @ARGV;
my @wanted;
while (@ARGV && $ARGV[0] ne '--') { push @wanted, [splice @ARGV, 0, 2] }
shift @ARGV;

syscall($call{unshare}, $NEWNS | $NEWIPC) == 0 or failed('a namespace of its own');
mount('none', '/', '', $REC | $PRIVATE, '', 'the mounts of its own');
mount('none', $root, 'tmpfs', $NOSUID, 'mode=755,size=4m', "the root at $root");
for (@wanted) { show(@$_) }
my $old = "$root/old";
mkdir $old or failed($old);
mount('none', $root, '', $REMOUNT | $BIND | $RDONLY | $NOSUID, '', "making $root read-only");
syscall($call{pivot_root}, $root, $old) == 0 or failed('the change of the root');
chdir '/' or failed('/');
$old = '/old';
syscall($call{umount}, $old, $DETACH) == 0 or failed("taking the host's files away");
my $none = pack 'QQ', 0, 0;
syscall($call{prlimit}, 0, $CORE, $none, 0) == 0 or failed('forbidding core dumps');
umask $umask;
exec { $ARGV[0] } @ARGV or failed($ARGV[0]);

sub show {
    my ($how, $path) = @_;
    if ($how eq 'folder') {
        parents("$path/.");
        return;
    }
    if (-l $path) {
        # `/lib` and its like are links into `/usr` on today's systems.
        parents($path);
        symlink readlink($path), "$root$path" or failed("the link $path");
        return;
    }
    if (!lstat $path) {
        return if $how eq 'try' && ($!{ENOENT} || $!{ENOTDIR});
        failed($path);
    }
    my ($folder, $device) = (-d _, -c _ || -b _);
    parents($path);
    if ($folder) { -d "$root$path" or mkdir "$root$path" or failed("$root$path") }
    else { open my $file, '>', "$root$path" or failed("$root$path"); close $file }
    if ($how eq 'proc') {
        mount('proc', "$root$path", 'proc', $NOSUID | $NODEV | $NOEXEC, 'hidepid=2', $path);
        return;
    }
    mount($path, "$root$path", '', $BIND, '', $path);
    return if $device;
    my $only = $how eq 'rw' ? 0 : $RDONLY;
    mount('none', "$root$path", '', $REMOUNT | $BIND | $NOSUID | $NODEV | $only, '', "limiting $path");
}

sub parents {
    my ($path) = @_;
    my $made = $root;
    my @names = split m{/}, $path;
    for my $name (@names[1 .. $#names - 1]) {
        $made .= "/$name";
        -d $made or mkdir $made or failed($made);
    }
}

sub mount {
    my ($from, $at, $type, $flags, $data, $what) = @_;
    # perl's syscall takes strings only from variables: it hands over where they are.
    syscall($call{mount}, $from, $at, $type, $flags, $data) == 0 or failed($what);
}

sub failed {
    my ($what) = @_;
    print STDERR "QEMU's namespaces cannot be made: $what: $!\n";
    exit 125;
}
