/** Configuration of a libvirt host of the lab: Debian's defaults but for what is named here, and why. Pure. */
import type { UserIds } from "@godwit/system";

export interface HostIdentity {
  uuid: string;
  /** Where its daemon listens for other hosts and for virsh. */
  address: string;
}

/** Where a host finds its certificates, in its own view. */
export const pkiFolder = "/etc/libvirt/pki";

/** `libvirtd.conf`. */
export function daemonConfig({ uuid, address }: HostIdentity): string {
  return lines({
    // All lab hosts are one machine: by its own number libvirt takes them for the same host.
    host_uuid: uuid,
    listen_addr: address,
    listen_tcp: 1,
    listen_tls: 1,
    auth_tcp: "none",
    auth_tls: "none",
    auth_unix_ro: "none",
    auth_unix_rw: "none",
    // The group libvirt comes with the machine-wide installation.
    unix_sock_group: "root",
    ca_file: `${pkiFolder}/cacert.pem`,
    cert_file: `${pkiFolder}/servercert.pem`,
    key_file: `${pkiFolder}/serverkey.pem`,
    log_outputs: "3:stderr",
  });
}

/** `qemu.conf`. @param user that QEMU runs as, the same as Godwit's */
export function driverConfig(user: string): string {
  return lines({
    user,
    group: user,
    // The shared folder is of the machine's own file system: at a move's end libvirt would give the disk back to
    // root while the destination uses it. On NFS it does not.
    dynamic_ownership: 0,
    remember_owner: 0,
    security_driver: "none",
    // A /dev of each QEMU's own cannot be made where a single file of /dev is mounted, as enter.sh may do.
    namespaces: [],
    migrate_tls_x509_cert_dir: pkiFolder,
  });
}

/**
 * `/etc/passwd` or `/etc/group` with Debian's name for QEMU's user, which libvirt looks up even where it is
 * configured otherwise. @param text the machine's
 */
export function withDefaultUser(text: string, kind: "passwd" | "group", { uid, gid }: UserIds): string {
  if (/^libvirt-qemu:/m.test(text)) return text;
  const [user, group] = [String(uid), String(gid)];
  const entry =
    kind === "passwd" ? `libvirt-qemu:x:${user}:${group}::/:/usr/sbin/nologin` : `libvirt-qemu:x:${group}:`;
  return `${text}${entry}\n`;
}

const lines = (settings: Record<string, string | number | readonly string[]>): string =>
  Object.entries(settings)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");
