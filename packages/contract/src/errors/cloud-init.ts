/** Errors about the seed that tells a new VM's guest its host name, keys and user data. */
import { define } from "./define.ts";

export const cloudInitErrors = {
  SEED_DRIVE_TAKEN: define<{ vm: string; drive: string; most: number }>(
    409,
    "never",
    (d) =>
      `VM ${d.vm} has no CD-ROM drive for its cloud-init data: its description has one of the name ${d.drive} already, or ${String(d.most)} drives, which is all that a VM can have.`,
    () => "Leave one of the drives out of its description.",
  ),
  SEED_EXISTS: define<{ vm: string; path: string }>(
    409,
    "after-fix",
    (d) =>
      `The cloud-init data of VM ${d.vm} are not written: there is a file ${d.path} already, and it is not written over.`,
    () => "Move the file away, or choose another name for the VM.",
  ),
  SEED_LOST: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} was not created: the server was restarted before host ${d.host} had the VM's cloud-init data, which the server keeps in no file.`,
    () => "Create the VM again.",
  ),
} as const;
