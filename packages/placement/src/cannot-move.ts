/**
 * What follows for VMs that no host may have, once all others are away. Read this first:
 *
 *   one without a choice       the emptying fails; no guest is shut down for a maintenance that does not come
 *   one that is waited for     it goes on looking
 *   those to be shut down      are shut down, last of all, so that they are off for the shortest time; likewise
 *   those to be suspended      to disk
 *   those that are left        run on here: the host is not in maintenance, but takes no VMs
 */
import { hasProcess, type CannotMove, type Task, type TaskId, type VmView } from "@godwit/contract";

/** What was asked for. */
export interface Choices {
  cannotMove?: CannotMove | undefined;
  vms?: readonly { id: string; cannotMove: CannotMove }[] | undefined;
}

/** Null: nothing was chosen. */
export const choiceFor = ({ cannotMove, vms = [] }: Choices, { id }: { id: string }): CannotMove | null =>
  vms.find((one) => one.id === id)?.cannotMove ?? cannotMove ?? null;

export type Rest =
  | { do: "fail"; vms: VmView[] }
  | { do: "wait" }
  | { do: "stop"; vms: VmView[] }
  | { do: "end"; running: VmView[] };

/**
 * @param here VMs that are still on the host, and are not on their way
 * @param notStopped ids of those that could not be shut down or suspended
 */
export function restOf(
  here: readonly VmView[],
  choices: Choices,
  notStopped: ReadonlyMap<string, unknown>,
): Rest {
  const running = here.filter(hasProcess);
  const of = (...chosen: (CannotMove | null)[]) =>
    running.filter((vm) => chosen.includes(choiceFor(choices, vm)));
  const stopping = of("shut-down", "suspend");
  const failed = [...of(null), ...stopping.filter(({ id }) => notStopped.has(id))];
  if (failed.length > 0) return { do: "fail", vms: failed };
  if (of("wait").length > 0) return { do: "wait" };
  return stopping.length > 0 ? { do: "stop", vms: stopping } : { do: "end", running: of("leave") };
}

/**
 * Whether a VM is off because a maintenance shut it down or suspended it, and nobody has started or stopped it since.
 * @param by the emptying that was to do that
 * @param last the newest stop or suspension, and the newest start of the VM; null: none is known
 */
export function isOffSince(
  vm: Pick<VmView, "state">,
  by: TaskId,
  { stop, start }: { stop: Task | null; start: Task | null },
): boolean {
  if (hasProcess(vm) || stop?.parent !== by || stop.state !== "succeeded") return false;
  return start === null || start.createdAt < stop.createdAt;
}
