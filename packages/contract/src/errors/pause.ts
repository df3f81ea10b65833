/** Why a guest stands still, in words, and what to do about it. */
/**
 * Why the vCPUs of a VM that has a process stand still, in QEMU's words, with two more: `user` (QEMU's `paused`) told
 * to; `no-space` an I/O error for want of space (QEMU's io-status `nospace`). `suspended`: asleep by the guest's own
 * wish. `shutdown`: switched off by the guest, its process is about to end.
 */
export const pauseReasons = [
  "user",
  "io-error",
  "no-space",
  "guest-panicked",
  "watchdog",
  "internal-error",
  "suspended",
  "shutdown",
] as const;
export type PauseReason = (typeof pauseReasons)[number];

const texts: Record<PauseReason, string> = {
  user: "it was told to pause",
  "io-error": "one of its disks has an I/O error",
  "no-space": "its datastore is full",
  "guest-panicked": "its guest's kernel has panicked",
  watchdog: "its watchdog has fired",
  "internal-error": "QEMU cannot go on with it (internal-error)",
  suspended: "its guest is asleep (suspended)",
  shutdown: "its guest has shut down",
};

/** As in "VM web-1 is paused on host a: its datastore is full". */
export const pauseText = (reason: PauseReason | null): string =>
  reason === null ? "for a reason that its host does not tell" : texts[reason];

export function pauseRemedy(vm: string, reason: PauseReason | null): string {
  const resume = `godwit vm resume ${vm}`;
  switch (reason) {
    case "no-space":
      return `Make room on the datastore: the VM then goes on by itself, or with ${resume}. Nothing that it wrote is lost.`;
    case "io-error":
      return `See that the storage works, then let it go on with ${resume}: what had failed is tried again. Nothing that it wrote is lost.`;
    case "internal-error":
    case "guest-panicked":
      return `Look at its console (godwit vm console ${vm}), then stop and start it: godwit vm stop ${vm} --grace 0`;
    case "shutdown":
      return `It is stopped in a moment. Start it with godwit vm start ${vm}`;
    default:
      return `Let it run with ${resume}`;
  }
}
