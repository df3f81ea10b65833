#!/usr/bin/perl
# Starts a VM's QEMU in its run folder, which belongs to root: makes as root what QEMU is to have open there, and
# becomes the program that is named, which gives root up and becomes QEMU. So QEMU needs to write nothing to a
# folder of root, and whatever root reads there was put there by root.
#   launch-qemu.pl FOLDER DESCRIPTOR=SOCKET… DESCRIPTOR+FILE… DESCRIPTOR<PATH… -- PROGRAM ARGUMENT…
# A SOCKET is made and listens; a FILE is made and appended to: both of mode 0600, open as that DESCRIPTOR. A PATH is a file
# that is there, wherever that is, and is only read.
#   FOLDER/qemu.pid   this process, which QEMU will be
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_CREAT O_EXCL O_APPEND O_NOFOLLOW O_NONBLOCK O_RDONLY);

# As numbers: a VM's start and its move wait for this, and the modules that name them take longer to load than all of it.
my ($AF_UNIX, $SOCK_STREAM, $dup2) = (1, 1, 33);
my $path_bytes = 108;

$^F = 1_000_000;    # what is opened stays open across exec
umask 0177;
my $folder = shift @ARGV;
while (@ARGV and (my $what = shift @ARGV) ne '--') {
    my ($descriptor, $kind, $name) = $what =~ m{^(\d+)([=+<])(.+)$}s or die "not understood: $what\n";
    $name =~ ($kind eq '<' ? qr{^/} : qr/^[\w.-]+$/) or die "not understood: $what\n";
    my $path = $kind eq '<' ? $name : "$folder/$name";
    my $handle;
    if ($kind eq '=') {
        length $path < $path_bytes or die "$path: too long for a socket\n";
        socket $handle, $AF_UNIX, $SOCK_STREAM, 0 or die "$name: $!\n";
        bind $handle, pack("S a$path_bytes", $AF_UNIX, $path) or die "$path: $!\n";
        listen $handle, 8 or die "$path: $!\n";
    } elsif ($kind eq '<') {
        sysopen $handle, $path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK or die "$path: $!\n";
        -f $handle or die "$path: it is not a regular file\n";
    } else {
        sysopen $handle, $path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600 or die "$path: $!\n";
    }
    syscall($dup2, fileno $handle, $descriptor + 0) >= 0 or die "descriptor $descriptor: $!\n";
    close $handle;
}

sysopen my $pid, "$folder/qemu.pid", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "qemu.pid: $!\n";
print {$pid} "$$\n";
close $pid or die "qemu.pid: $!\n";
umask 0077;
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
