/** Errors about the TPMs of VMs, which a program beside QEMU emulates (swtpm). */
import { define } from "./define.ts";

export const tpmErrors = {
  TPM_UNAVAILABLE: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} has no TPM emulator (swtpm), and VM ${d.vm} has a TPM.`,
    (d) => `Install it on ${d.host}: apt-get install swtpm`,
    "DeviceNotSupported",
  ),
  TPM_ENDED: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) =>
      `The TPM of VM ${d.vm} on host ${d.host} does not work any more: its process (swtpm) has ended. The guest runs on without it, and cannot be moved while it runs.`,
    (d) => `Stop the VM and start it again: godwit vm stop ${d.vm}`,
  ),
  TPM_STATE_UNUSABLE: define<{ vm: string; path: string; reason: string }>(
    409,
    "after-fix",
    (d) => `The state of the TPM of VM ${d.vm} (${d.path}) cannot be used: ${d.reason}.`,
    (d) =>
      `Put the folder back from a copy, or move away what is in its place. To go on without it, with the loss of all keys in the TPM: godwit vm set ${d.vm} --tpm off`,
  ),
  MOVE_TPM_STAYS: define<{ vm: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} cannot move together with its disks: it has a TPM, whose state is a folder that is not moved with them.`,
    (d) =>
      `If its folder lies on storage that both hosts see, move it without --datastore. If not: shut it down and clone it to such storage. The clone's TPM is empty, so that its guest needs what replaces the keys of its own, such as BitLocker's recovery key: godwit vm clone ${d.vm} NEW --datastore NAME`,
  ),
} as const;
