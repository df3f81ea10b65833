#!/bin/busybox sh
# The lab guest's first process: modules, network, a seed, data disk, redis, the memory dirtier, CPUID's answers, the
# guest agent, a shell on ttyS0.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin
for module in $(cat /etc/modules); do modprobe "$module" 2>/dev/null; done

for word in $(cat /proc/cmdline); do
  case $word in
    godwit.ip=*) address=${word#godwit.ip=} ;;
  esac
done
ip link set lo up
# Announced by the guest itself after a move, and never asked for by duplicate address detection.
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
ip link set eth0 up
[ -n "$address" ] && ip address add "$address" dev eth0

# A seed, as cloud-init reads it: the host name, and user data that are a script. The drive is found a moment after its bus.
(
  [ -d /sys/class/scsi_host/host0 ] || exit
  for _ in $(seq 100); do
    [ -b /dev/sr0 ] && break
    sleep 0.1
  done
  mkdir -p /seed
  for drive in /dev/sr*; do
    mount -t iso9660 -o ro "$drive" /seed 2>/dev/null || continue
    if [ -f /seed/meta-data ]; then
      hostname "$(sed -n 's/.*"local-hostname": "\([^"]*\)".*/\1/p' /seed/meta-data)"
      # From a copy: the drive can be taken out meanwhile.
      cp /seed/user-data /tmp/user-data
      case $(head -n 1 /tmp/user-data) in '#!'*) exec sh /tmp/user-data >/dev/console 2>&1 ;; esac
      exit
    fi
    umount /seed
  done
) &

mkdir -p /data
# On virtio it is there with its module; on SATA and SCSI it is found a moment after its bus.
for _ in $(seq 100); do
  for disk in /dev/vda /dev/sda; do [ -b $disk ] && break 2; done
  sleep 0.1
done
mount -t ext4 -o noatime $disk /data || echo "godwit-guest: no data disk"
# 0: memory is given out without reserve; redis' own copy-on-write needs it.
echo 1 >/proc/sys/vm/overcommit_memory
/usr/bin/redis-server /etc/redis.conf >/dev/console 2>&1 &
if [ -x /usr/lib/godwit/dirtier ]; then
  /usr/lib/godwit/dirtier >/dev/console 2>&1 &
else
  /usr/bin/perl /usr/lib/godwit/dirtier.pl >/dev/console 2>&1 &
fi
/usr/bin/perl /usr/lib/godwit/cpuid.pl >/dev/console 2>&1 &

# The guest agent sets the clock, and the hardware's after it.
mkdir -p /sbin /var/run
ln -s /bin/busybox /sbin/hwclock
(
  # The port is found a moment after its module; where the VM has none, never.
  for _ in $(seq 100); do
    port=$(ls /dev/vport*p1 2>/dev/null) && exec /usr/sbin/qemu-ga -m virtio-serial -p "$port" -t /var/run >/dev/null 2>&1
    sleep 0.1
  done
) &

# The power button.
mkdir -p /etc/acpi/PWRF
printf '#!/bin/sh\nkill -TERM $(pidof redis-server); sleep 0.2; umount /data; poweroff -f\n' >/etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
acpid -d -l /dev/null >/dev/null 2>&1 &

until redis-cli -h 127.0.0.1 ping 2>/dev/null | grep -q PONG; do sleep 0.05; done
echo "godwit-guest ready"
# What a measurement adds to this root.
[ -f /usr/lib/godwit/more.sh ] && sh /usr/lib/godwit/more.sh >/dev/console 2>&1 &
# A shell for whoever comes to the serial console.
export HOME=/ TERM=vt102 PS1='godwit-guest# '
while :; do
  setsid cttyhack sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
  sleep 1
done
