#!/bin/sh
# Runs a program as on a libvirt host of the lab: with its own /run, /etc/libvirt, /var/lib, /var/log and
# /var/cache, its users and names, its shared storage, and its name. Called inside the host's network namespace and a mount
# namespace of its own; makes nothing on the machine itself:
#   enter.sh NAME FOLDER SHARED PROGRAM ARGUMENT…
set -eu
name=$1 folder=$2 shared=$3
shift 3
mount --make-rprivate /
# A /dev/kvm that QEMU's user may not open is none. libvirt asks QEMU what it can do as root, which may, and checks the
# answer as that user, who may not: it would throw the answer away and ask again, for seconds, before each call.
if [ -e /dev/kvm ] && ! runuser -u godwit-qemu -- test -w /dev/kvm; then
  : >"$folder/no-kvm"
  chmod 0 "$folder/no-kvm"
  mount --bind "$folder/no-kvm" /dev/kvm
fi
mount --bind "$shared" "$folder/var/lib/godwit/shared"
mount --bind "$folder/etc" /etc/libvirt
for file in passwd group hosts; do mount --bind "$folder/$file" "/etc/$file"; done
mount --bind "$folder/run" /run
mount --bind "$folder/var/log" /var/log
# QEMUs that labs have unpacked.
if [ -d /var/cache/godwit/qemu ]; then
  mkdir -p "$folder/var/cache/godwit/qemu"
  mount --bind /var/cache/godwit/qemu "$folder/var/cache/godwit/qemu"
fi
mount --rbind "$folder/var/cache" /var/cache
# Last: the folder itself lies behind it.
mount --rbind "$folder/var/lib" /var/lib
hostname "$name"
exec "$@"
