/** Errors about the images that VMs' disks are, as they are inspected before QEMU opens them. */
import { define } from "./define.ts";

export interface RefusedImage {
  vm: string;
  disk: string;
  path: string;
}

const disk = (d: RefusedImage): string => `Disk ${d.disk} of VM ${d.vm} (${d.path})`;

/** Why a disk cannot be linked. */
type NotLinkable = keyof typeof notLinkable;

const copyInFull = "Copy it in full: leave out --linked.";
const notLinkable = {
  block: { why: () => "it is a LUN or a volume, and only files are linked", remedy: () => copyInFull },
  elsewhere: {
    why: (datastore: string) =>
      `what it would be linked to lies on datastore ${datastore}, and it is to lie on another`,
    remedy: () => "Let it lie on the same datastore, or copy it in full: leave out --linked.",
  },
  format: {
    why: (format: string) => `a disk is linked to a qcow2 or a raw image, and this one is ${format}`,
    remedy: () => copyInFull,
  },
  file: {
    why: (path: string) => `${path} is no image of the library, so others may change it`,
    remedy: () =>
      "Add it to the library (godwit image add DATASTORE:PATH), or copy it in full: leave out --linked.",
  },
  snapshots: {
    why: (names: string) => `its image has snapshots (${names}), and a base keeps none`,
    remedy: (vm: string) =>
      `Delete them (godwit vm snapshot list ${vm}), or copy it in full: leave out --linked.`,
  },
  names: {
    why: (path: string) => `${path} has further names (hard links), under which it could be written to`,
    remedy: () =>
      "Remove the others (find DATASTORE -samefile PATH), or copy it in full: leave out --linked.",
  },
  storage: {
    why: (problem: string) => `its datastore makes no hard links (${problem})`,
    remedy: () => copyInFull,
  },
} as const satisfies Record<string, { why: (what: string) => string; remedy: (vm: string) => string }>;

export const imageErrors = {
  DISK_NOT_OWN: define<RefusedImage & { reason: string }>(
    409,
    "after-fix",
    (d) => `${disk(d)} cannot be used: ${d.reason}.`,
    () => "Copy the image itself into the datastore, outside of other VMs' folders, and name that file.",
  ),
  DISK_PERMISSION_DENIED: define<{
    vm: string;
    what: string;
    path: string;
    host: string;
    /** That QEMU runs as at this host, or would. */
    uid: number;
    /** That it runs as at the VM's source, where that is another. */
    sourceUid: number | null;
    reason: string;
  }>(
    409,
    "after-fix",
    (d) =>
      `QEMU on host ${d.host} cannot open ${d.what} of VM ${d.vm} (${d.path}) as uid ${String(d.uid)}: ${d.reason}.${d.sourceUid === null ? "" : ` Where the VM runs now, QEMU has uid ${String(d.sourceUid)}.`}`,
    (d) =>
      d.sourceUid === null
        ? `Let uid ${String(d.uid)} open it on ${d.host} (its owner and mode, the folders above it, how the storage is exported).`
        : `The VM continues to run where it is. Give QEMU the same uids on both hosts (qemu.vmUids in agent.yaml, and the uid of the user qemu.user), or stop and start the VM, which then gets a uid that is the same on all hosts.`,
  ),
  IMAGE_REFERS_ELSEWHERE: define<RefusedImage & { refersTo: string }>(
    409,
    "after-fix",
    (d) => `${disk(d)} is not opened: it refers to ${d.refersTo}, and an image must be complete in itself.`,
    (d) =>
      `If you trust what it refers to, make it complete: qemu-img rebase -b "" ${d.path} (a backing file), or qemu-img convert -O qcow2 ${d.path} NEW.`,
  ),
  /** Null: it names none. */
  IMAGE_BASE_DIFFERS: define<RefusedImage & { base: string; found: string | null }>(
    409,
    "after-fix",
    (d) =>
      `${disk(d)} is not opened: its base is to be ${d.base}, and its header names ${d.found ?? "none"}.`,
    (d) =>
      `Another program has changed the image, or what describes it. Restore the VM's folder from a copy, or look at it: qemu-img info ${d.path}`,
  ),
  DISK_NOT_LINKABLE: define<{ vm: string; disk: string; reason: NotLinkable; what: string | null }>(
    409,
    "after-fix",
    (d) => `Disk ${d.disk} of VM ${d.vm} cannot be linked: ${notLinkable[d.reason].why(d.what ?? "")}.`,
    (d) => notLinkable[d.reason].remedy(d.vm),
  ),
  IMAGE_FORMAT_DIFFERS: define<RefusedImage & { declared: string; found: string }>(
    409,
    "after-fix",
    (d) => `${disk(d)} is described as ${d.declared}, and its content is ${d.found}.`,
    (d) =>
      d.found === "qcow2" || d.found === "raw"
        ? `Describe it as it is (format: ${d.found}), or convert it: qemu-img convert -f ${d.found} -O ${d.declared} ${d.path} NEW.`
        : `Convert it: qemu-img convert -f ${d.found} -O ${d.declared} ${d.path} NEW.`,
  ),
  IMAGE_LARGER: define<RefusedImage & { sizeMib: number }>(
    409,
    "after-fix",
    (d) =>
      `${disk(d)} is larger than the ${String(d.sizeMib)} MiB that the disk is to have, and never cut off.`,
    () => "Ask for a larger disk, or leave its size out: then the disk is as large as the image.",
  ),
  IMAGE_UNREADABLE: define<RefusedImage & { reason: string }>(
    409,
    "after-fix",
    (d) => `${disk(d)} is not opened, because its inspection failed: ${d.reason}.`,
    (d) => `Look at it yourself: qemu-img check ${d.path}; or restore it from a copy.`,
  ),
} as const;
