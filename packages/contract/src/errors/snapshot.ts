/** Errors about snapshots of VMs. */
import { define } from "./define.ts";

interface Named {
  vm: string;
  snapshot: string;
}

const snapshot = (d: Named): string => `Snapshot ${d.snapshot} of VM ${d.vm}`;
const list = (d: { vm: string }): string => `What it has: godwit vm snapshot list ${d.vm}`;

export const snapshotErrors = {
  SNAPSHOT_UNKNOWN: define<Named & { known: string[] }>(
    404,
    "never",
    (d) =>
      `VM ${d.vm} has no snapshot ${d.snapshot}${d.known.length === 0 ? "" : `; its snapshots are ${d.known.join(", ")}`}.`,
    list,
  ),
  SNAPSHOT_EXISTS: define<Named>(
    409,
    "never",
    (d) => `VM ${d.vm} has a snapshot ${d.snapshot} already.`,
    (d) => `Choose another name, or delete it first: godwit vm snapshot delete ${d.vm} ${d.snapshot}`,
  ),
  SNAPSHOTS_TOO_MANY: define<{ vm: string; most: number }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} has as many snapshots as it may have (${String(d.most)}), or their descriptions are too long.`,
    (d) => `Delete those that are not needed any more: godwit vm snapshot list ${d.vm}`,
  ),
  SNAPSHOT_DISK_UNSUITABLE: define<{
    vm: string;
    disk: string | null;
    path: string;
    reason: "raw" | "lun" | "none";
  }>(
    409,
    "after-fix",
    (d) =>
      d.disk === null
        ? `VM ${d.vm} has no disk that a snapshot could be kept in.`
        : `VM ${d.vm} cannot have snapshots: its disk ${d.disk} is ${d.reason === "lun" ? "a LUN" : "a raw image"} (${d.path}), and a snapshot is kept in qcow2 images.`,
    (d) =>
      d.disk === null
        ? "Give it a disk in format qcow2, or keep its description only."
        : d.reason === "lun"
          ? "Use the snapshots of the storage that the LUN is on, for all disks of the VM at once."
          : `Create the VM with a qcow2 disk in its place; stopped, its content is converted by: qemu-img convert -f raw -O qcow2 ${d.path} NEW`,
  ),
  SNAPSHOT_MEMORY_STOPPED: define<{ vm: string; state: string }>(
    409,
    "never",
    (d) => `VM ${d.vm} is ${d.state}: it has no memory that a snapshot could keep.`,
    (d) => `Take the snapshot without --memory, or start the VM first: godwit vm start ${d.vm}`,
  ),
  SNAPSHOT_FAILED: define<Named & { what: "created" | "deleted" | "reverted to"; reason: string }>(
    409,
    "later",
    (d) => `${snapshot(d)} was not ${d.what}: ${d.reason}.`,
    (d) =>
      d.what === "created"
        ? "Nothing of it is left, and the VM is as it was. Remove the cause, and try again."
        : d.what === "deleted"
          ? `It cannot be used any more. Remove the cause, and delete it again: godwit vm snapshot delete ${d.vm} ${d.snapshot}`
          : `Remove the cause, and revert again; the VM's next start completes it, too: godwit vm start ${d.vm}`,
  ),
  SNAPSHOT_UNFINISHED: define<Named>(
    409,
    "never",
    (d) => `${snapshot(d)} is not complete: its making or its deletion was cut off.`,
    (d) => `Remove what is left of it: godwit vm snapshot delete ${d.vm} ${d.snapshot}`,
  ),
  SNAPSHOT_BROKEN: define<Named & { disk: string; path: string; what: string }>(
    409,
    "never",
    (d) => `${snapshot(d)} cannot be used: the image of disk ${d.disk} (${d.path}) has no ${d.what} of it.`,
    (d) =>
      `The image was replaced or changed by another program. Restore it from a copy, or delete the snapshot: godwit vm snapshot delete ${d.vm} ${d.snapshot}`,
  ),
  SNAPSHOT_DISKS_DIFFER: define<Named & { added: string[]; removed: string[] }>(
    409,
    "after-fix",
    (d) =>
      `${snapshot(d)} does not fit the VM's disks: ${[
        ...(d.added.length === 0 ? [] : [`${d.added.join(", ")} came after it`]),
        ...(d.removed.length === 0 ? [] : [`${d.removed.join(", ")} is not there any more`]),
      ].join("; ")}.`,
    () => "Make the VM's disks those that it had then, and revert again.",
  ),
  SNAPSHOT_MEMORY_UNUSABLE: define<Named & { host: string; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `The memory of snapshot ${d.snapshot} of VM ${d.vm} cannot be loaded on host ${d.host}: ${d.reason}.`,
    (d) =>
      `Use another host, or only its disks, as after a loss of power: godwit vm snapshot revert ${d.vm} ${d.snapshot} --disks-only`,
  ),
  SNAPSHOT_LOAD_FAILED: define<Named & { host: string; reason: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is stopped, with its disks as in snapshot ${d.snapshot}; its memory was not loaded on host ${d.host}: ${d.reason}.`,
    (d) =>
      `Remove the cause, and revert again: godwit vm snapshot revert ${d.vm} ${d.snapshot}; or start the VM, as after a loss of power: godwit vm start ${d.vm}`,
  ),
  SNAPSHOT_ALREADY_LOADED: define<Named & { host: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is stopped: its guest may have gone on from snapshot ${d.snapshot} on host ${d.host} already, and its QEMU has ended since. What it wrote is on its disks.`,
    (d) =>
      `Start it from its disks: godwit vm start ${d.vm}; or lose what it wrote: godwit vm snapshot revert ${d.vm} ${d.snapshot}`,
  ),
  /** `linked`: of linked disks, whose copies are complete in themselves. */
  VM_HAS_SNAPSHOTS: define<{ vm: string; disks: string[]; snapshots: string[]; linked?: boolean }>(
    409,
    "after-fix",
    (d) =>
      d.linked === true
        ? `Disks ${d.disks.join(", ")} of VM ${d.vm} are linked, and their copies on another datastore would not have its snapshots (${d.snapshots.join(", ")}).`
        : `Disks ${d.disks.join(", ")} of VM ${d.vm} cannot be copied while it runs: the copy would not have its snapshots (${d.snapshots.join(", ")}).`,
    (d) =>
      d.linked === true
        ? `Delete the snapshots first: godwit vm snapshot list ${d.vm}`
        : `Stop the VM, and they move with their snapshots (godwit vm stop ${d.vm}); or delete the snapshots first: godwit vm snapshot list ${d.vm}`,
    "SnapshotMoveNotSupported",
  ),
  /** A finding of a check: none of these forbids the move. */
  SNAPSHOT_LACKS_THERE: define<Named & { host: string; lacking: string[] }>(
    409,
    "after-fix",
    (d) => `${snapshot(d)} needs what host ${d.host} does not have: ${d.lacking.join("; ")}.`,
    (d) =>
      `The VM may move; to be reverted to this snapshot it must be on a host that has that, or ${d.host} must get it.`,
    "SnapshotRevertIssue",
  ),
} as const;
