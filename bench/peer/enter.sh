#!/bin/sh
# Runs a program as on a libvirt host of the lab: with its own /run, /etc/libvirt, /var/lib, /var/log and
# /var/cache, its users and names, its shared storage, and its name. Called inside the host's network namespace and a mount
# namespace of its own; makes nothing on the machine itself:
#   enter.sh NAME FOLDER SHARED PROGRAM ARGUMENT…
set -eu
name=$1 folder=$2 shared=$3
shift 3
mount --make-rprivate /
mount --bind "$shared" "$folder/var/lib/godwit/shared"
mount --bind "$folder/etc" /etc/libvirt
for file in passwd group hosts; do mount --bind "$folder/$file" "/etc/$file"; done
mount --bind "$folder/run" /run
mount --bind "$folder/var/log" /var/log
mount --bind "$folder/var/cache" /var/cache
# Last: the folder itself lies behind it.
mount --rbind "$folder/var/lib" /var/lib
hostname "$name"
exec "$@"
