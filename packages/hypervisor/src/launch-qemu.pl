#!/usr/bin/perl
# Starts a VM's QEMU in its run folder, which belongs to root: makes as root what QEMU is to have open there, and
# becomes the program that is named, which gives root up and becomes QEMU. So QEMU needs to write nothing to a
# folder of root, and whatever root reads there was put there by root.
#   launch-qemu.pl FOLDER DESCRIPTOR=SOCKET… DESCRIPTOR+FILE… -- PROGRAM ARGUMENT…
# A SOCKET is made and listens; a FILE is made and appended to: both of mode 0600, open as that DESCRIPTOR.
#   FOLDER/qemu.pid   this process, which QEMU will be
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_CREAT O_EXCL O_APPEND O_NOFOLLOW);
use POSIX qw(dup2);
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);

$^F = 1_000_000;    # what is opened stays open across exec
umask 0177;
my $folder = shift @ARGV;
while (@ARGV and (my $what = shift @ARGV) ne '--') {
    my ($descriptor, $kind, $name) = $what =~ /^(\d+)([=+])([\w.-]+)$/ or die "not understood: $what\n";
    my $path = "$folder/$name";
    my $handle;
    if ($kind eq '=') {
        socket $handle, AF_UNIX, SOCK_STREAM, 0 or die "$name: $!\n";
        bind $handle, pack_sockaddr_un($path) or die "$path: $!\n";
        listen $handle, 8 or die "$path: $!\n";
    } else {
        sysopen $handle, $path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0600 or die "$path: $!\n";
    }
    dup2(fileno $handle, $descriptor) // die "descriptor $descriptor: $!\n";
    close $handle;
}

sysopen my $pid, "$folder/qemu.pid", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "qemu.pid: $!\n";
print {$pid} "$$\n";
close $pid or die "qemu.pid: $!\n";
umask 0077;
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
