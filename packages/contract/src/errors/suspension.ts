/** Errors about VMs that are suspended to disk. */
import { define } from "./define.ts";

const orBoot = (vm: string): string =>
  `or let it boot, as after a loss of power: godwit vm start ${vm} --discard-memory`;

export const suspensionErrors = {
  VM_SUSPENDED: define<{ vm: string; suspendedAt: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is suspended to disk since ${d.suspendedAt}: its disks and its description must stay as its guest knows them.`,
    (d) => `Let its guest go on, and shut it down: godwit vm start ${d.vm}; ${orBoot(d.vm)}`,
  ),
  SUSPEND_FAILED: define<{ vm: string; host: string; reason: string; state: string }>(
    409,
    "later",
    (d) => `VM ${d.vm} was not suspended on host ${d.host}, and is ${d.state} there: ${d.reason}.`,
    (d) =>
      d.state === "paused"
        ? `Remove the cause, and try again: godwit vm suspend ${d.vm}; or let it run: godwit vm resume ${d.vm}`
        : `Remove the cause, and try again: godwit vm suspend ${d.vm}`,
  ),
  SUSPEND_CANCELLED: define<{ vm: string; host: string }>(
    409,
    "never",
    (d) => `VM ${d.vm} was not suspended: that was cancelled. It is on host ${d.host} as it was before.`,
    () => "Nothing needs to be done.",
  ),
  SUSPEND_UNKNOWN: define<{ vm: string; host: string }>(
    409,
    "after-fix",
    (d) => `Whether VM ${d.vm} is suspended is not known: host ${d.host} fell silent before it had answered.`,
    (d) =>
      `It shows when ${d.host} is back: godwit vm show ${d.vm}. Or start it on another host, which its lease allows once it runs nowhere: godwit vm start ${d.vm} --host NAME`,
  ),
  SUSPENDED_MEMORY_UNUSABLE: define<{ vm: string; host: string; reason: string }>(
    409,
    "after-fix",
    (d) => `VM ${d.vm}, which is suspended to disk, cannot go on at host ${d.host}: ${d.reason}.`,
    (d) => `Remove the cause, or use another host: godwit vm start ${d.vm} --host NAME; ${orBoot(d.vm)}`,
  ),
} as const;
