#!/bin/sh
# Runs a program as it would run on the lab host: with the host's own /run and /var/lib/godwit, its shared
# storage, and its name. Called inside the host's network namespace and a mount namespace of its own:
#   enter.sh NAME FOLDER [SHARED] [USERFAULTFD] -- PROGRAM ARGUMENT…
# USERFAULTFD is what the host sees as the setting vm.unprivileged_userfaultfd; empty: the machine's.
set -eu
name=$1 folder=$2 shared=$3 userfaultfd=$4
shift 5
mount --make-rprivate /
if [ -n "$shared" ]; then
  mount --bind "$shared" "$folder/state/shared"
fi
# Machines with udev let everyone open this device (it gives no rights by itself); containers often do not.
if [ ! -e "$folder/tun" ]; then
  mknod -m 0666 "$folder/tun" c 10 200 2>/dev/null || true
fi
mount --bind "$folder/tun" /dev/net/tun
if [ -n "$userfaultfd" ] && [ -e /proc/sys/vm/unprivileged_userfaultfd ]; then
  echo "$userfaultfd" >"$folder/userfaultfd"
  mount --bind "$folder/userfaultfd" /proc/sys/vm/unprivileged_userfaultfd
fi
mount --rbind "$folder/state" /var/lib/godwit
mount --rbind "$folder/run" /run
hostname "$name"
exec "$@"
