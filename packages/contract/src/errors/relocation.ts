/** Errors about moving a VM's disks from one datastore to another. */
import { define } from "./define.ts";

export const relocationErrors = {
  DISK_UNKNOWN: define<{ vm: string; disk: string; known: string[] }>(
    404,
    "never",
    (d) =>
      `VM ${d.vm} has no disk ${d.disk}${d.known.length === 0 ? "" : `; its disks are ${d.known.join(", ")}`}.`,
    (d) => `What it has: godwit vm show ${d.vm}`,
  ),
  DISKS_ALREADY_THERE: define<{ vm: string; datastore: string; disks: string[] }>(
    409,
    "never",
    (d) =>
      d.disks.length === 0
        ? `VM ${d.vm} has no disk that could be moved to datastore ${d.datastore}.`
        : `Nothing of VM ${d.vm} is to be moved: ${d.disks.join(", ")} ${d.disks.length === 1 ? "lies" : "lie"} on datastore ${d.datastore} already.`,
    (d) => `Where its disks lie: godwit vm show ${d.vm}`,
  ),
  DISK_IS_LUN: define<{ vm: string; disk: string; datastore: string }>(
    409,
    "never",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} is a LUN of datastore ${d.datastore}, or a volume on one, which is not copied in this way.`,
    () =>
      "Move the other disks, each named with --disk. A VM with such a disk moves to another host without --datastore, and a volume on a LUN to another datastore of its host without --to.",
  ),
  DISK_RELOCATION_FAILED: define<{ vm: string; disk: string; datastore: string; reason: string }>(
    409,
    "later",
    (d) =>
      `Disk ${d.disk} of VM ${d.vm} was not moved to datastore ${d.datastore}, and lies where it was: ${d.reason}.`,
    () => "Remove the cause, and move it again; what was copied is removed.",
  ),
  /** The task has ended so that the VM can be started elsewhere. */
  DISK_RELOCATION_UNKNOWN: define<{ vm: string; disks: string[]; datastore: string; host: string }>(
    503,
    "later",
    (d) =>
      `Host ${d.host} does not respond, and where disks ${d.disks.join(", ")} of VM ${d.vm} lie that were being moved to datastore ${d.datastore} is not known.`,
    (d) =>
      `vm.json in the VM's folder says it, and names whole images only; a start of the VM goes by that: godwit vm start ${d.vm}. If ${d.host} comes back, it goes on with the move.`,
  ),
  DISK_RELOCATION_CANCELLED: define<{ vm: string; disks: string[]; datastore: string }>(
    409,
    "never",
    (d) =>
      `The move of disks of VM ${d.vm} to datastore ${d.datastore} was cancelled; ${d.disks.length === 0 ? "all lie there" : `${d.disks.join(", ")} ${d.disks.length === 1 ? "lies where it was" : "lie where they were"}`}.`,
    () => "Nothing is left of the copy. Move them again when it fits.",
  ),
} as const;
