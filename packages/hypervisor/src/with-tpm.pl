#!/usr/bin/perl
# Starts a VM's TPM, and becomes the VM's QEMU: both have the ends of a pair of sockets, as the same DESCRIPTOR, and the TPM is a
# child of QEMU's.
#   with-tpm.pl FOLDER DESCRIPTOR COUNT TPM-WORD… PROGRAM ARGUMENT…
# COUNT              of the words that start the TPM
# FOLDER/swtpm.pid   the TPM's process
use strict;
use warnings;
use Fcntl qw(O_WRONLY O_CREAT O_EXCL O_NOFOLLOW);
use POSIX qw(dup2 _exit);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);

$^F = 1_000_000;    # what is opened stays open across exec
my ($folder, $descriptor, $count) = splice @ARGV, 0, 3;
my @tpm = splice @ARGV, 0, $count;
socketpair my $qemu, my $tpm, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "a pair of sockets: $!\n";
my $child = fork // die "the TPM's process: $!\n";
if ($child == 0) {
    my $taken = dup2(fileno $tpm, $descriptor);
    defined $taken or _exit(125);
    # QEMU's sockets and files are no business of the TPM's.
    opendir my $open, '/proc/self/fd' or _exit(125);
    my @open = grep { /^\d+$/ && $_ > 2 && $_ != $descriptor && $_ != fileno $open } readdir $open;
    POSIX::close($_) for @open;
    closedir $open;
    exec { $tpm[0] } @tpm or _exit(125);
}
dup2(fileno $qemu, $descriptor) // die "descriptor $descriptor: $!\n";
close $qemu;
close $tpm;
sysopen my $pid, "$folder/swtpm.pid", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600 or die "swtpm.pid: $!\n";
print {$pid} "$child\n";
close $pid or die "swtpm.pid: $!\n";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!\n";
