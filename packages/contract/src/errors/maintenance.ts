/** Errors of a host that is to be emptied: what prevents its start, and how it may end. */
import { define } from "./define.ts";

export const maintenanceErrors = {
  MAINTENANCE_REFUSED: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} cannot be emptied: ${named(d.vms)} may not move to any other host. Nothing was changed.`,
    (d) =>
      `Each finding says what is wrong, where, and what to do. Or choose what becomes of such VMs: godwit host maintenance enter ${d.host} --cannot-move wait, shut-down, suspend or leave`,
  ),
  MAINTENANCE_INCOMPLETE: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) =>
      `Host ${d.host} still runs ${named(d.vms)}; everything else was moved away, and the host takes no VMs.`,
    (d) =>
      `Fix the cause and go on with: godwit host maintenance enter ${d.host}; or end the maintenance with: godwit host maintenance exit ${d.host}`,
  ),
  MAINTENANCE_CANCELLED: define<{ host: string; moved: string[]; left: string[]; shutDown?: string[] }>(
    409,
    "never",
    (d) =>
      `Emptying host ${d.host} was cancelled; ${d.moved.length === 0 ? "nothing was moved" : `${d.moved.join(", ")} had been moved`}, ${d.left.length === 0 ? "nothing is left" : `${d.left.join(", ")} stayed`}${wereShutDown(d.shutDown) ? `, ${d.shutDown.join(", ")} had been stopped` : ""}. The host takes VMs again.`,
    (d) =>
      wereShutDown(d.shutDown)
        ? `Start what was stopped again: godwit host maintenance exit ${d.host}`
        : "Nothing needs to be done.",
  ),
  MAINTENANCE_TIMED_OUT: define<{
    host: string;
    deadlineAt: string;
    moved: string[];
    left: string[];
    shutDown: string[];
  }>(
    409,
    "later",
    (d) =>
      `Host ${d.host} was not empty by ${d.deadlineAt}: ${d.left.length === 0 ? "other tasks still work with its VMs" : `it still runs ${named(d.left)}`}; ${d.moved.length === 0 ? "nothing was moved" : `${d.moved.join(", ")} had been moved`}${d.shutDown.length === 0 ? "" : `, ${d.shutDown.join(", ")} had been stopped`}. The host takes VMs again.`,
    (d) =>
      `Enter again with more time; the VMs that are away need not move again. What the maintenance has changed is taken back by: godwit host maintenance exit ${d.host} --bring-back`,
    "Timedout",
  ),
  MAINTENANCE_NO_TIME_LEFT: define<{ host: string; vm: string }>(
    409,
    "later",
    (d) => `VM ${d.vm} may move away from host ${d.host}, but its turn had not come by the deadline.`,
    () => "Give the maintenance more time, or let more VMs move at once: --concurrency",
  ),
  MAINTENANCE_VM_ELSEWHERE: define<{ host: string; vm: string; on: string }>(
    409,
    "after-fix",
    (d) =>
      `VM ${d.vm} is not on host ${d.host} but on ${d.on}: the maintenance of ${d.host} does nothing with it.`,
    (d) => `Leave it out. The VMs of ${d.host}: godwit host maintenance enter ${d.host} --plan`,
  ),
  HOST_TASK_UNDER_WAY: define<{ host: string; task: string; what: string }>(
    409,
    "later",
    (d) => `Host ${d.host} is busy with task ${d.task}: ${d.what}.`,
    (d) => `Wait for it (godwit task watch ${d.task}) or cancel it: godwit task cancel ${d.task}`,
  ),
  DESTINATION_NONE: define<{ host: string; vm: string }>(
    409,
    "after-fix",
    (d) => `There is no host beside ${d.host} that VM ${d.vm} could move to.`,
    () => "Join another host, or end the maintenance of one.",
  ),
} as const;

const wereShutDown = (vms: readonly string[] | undefined): vms is readonly string[] =>
  vms !== undefined && vms.length > 0;

const named = (vms: readonly string[]): string =>
  `${vms.length === 1 ? "VM" : `${String(vms.length)} VMs,`} ${vms.join(", ")}`;
