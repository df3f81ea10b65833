#!/bin/bash
# Boots a Debian root as a machine of its own: systemd as PID 1, in the namespaces that this was started in (mount, PID,
# network, host name, IPC, cgroup). What is written goes into the machine's folder; the root stays as it is.
#   machine-init.sh NAME ROOT FOLDER SHARED PACKAGES
# FOLDER has upper/, work/ and root/; SHARED is seen as /srv/vms, PACKAGES as /opt/packages.
set -euo pipefail
name=$1 lower=$2 folder=$3 shared=$4 packages=$5
root=$folder/root
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" overlay "$root"
mount -t proc proc "$root/proc"
# The kernel's settings are the whole computer's.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir -p "$root"/dev/{net,pts,shm}
for device in null zero full random urandom tty net/tun; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0 1 2; do ln -s "fd/$number" "$root/dev/$(printf 'stdin stdout stderr' | cut -d ' ' -f $((number + 1)))"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/srv/vms" "$root/opt/packages"
mount --bind "$shared" "$root/srv/vms"
mount --bind "$packages" "$root/opt/packages"
echo "$name" >"$root/etc/hostname"
hostname "$name"
cd "$root"
pivot_root . mnt
cd /
umount --lazy /mnt
exec env -i container=godwit-story PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --log-target=journal --show-status=no
