/**
 * Whether what users are told after a fault is true: the task's end and the inventory against where the VM runs. Pure.
 * A move that succeeded has its VM at the destination, one that failed at the source, and only a dead host loses it.
 */
import { isEnded, moveOf, type Task, type VmView } from "@godwit/contract";
import type { Phase } from "./phases.ts";

export type Outcome = "source" | "destination" | "dead-host";

/**
 * Where the task's end and the inventory do not say what is the case, in sentences.
 * @param runner the host that runs the VM, asked from outside; null: none does
 * @param phase the fault came in it
 */
export function untruths(
  task: Task,
  vm: Pick<VmView, "state" | "host">,
  outcome: Outcome,
  runner: string | null,
  phase: Phase,
): string[] {
  const found: string[] = [];
  if (!isEnded(task)) found.push(unended(task));
  else if (!saysSo(task, outcome, phase)) {
    found.push(
      `the task ended ${task.state} with ${task.error?.code ?? "no error"}: ${task.error?.detail ?? ""}`,
    );
  }
  if (task.error?.detail.trim() === "") found.push("the task's sentence is empty");
  const place = runner === null ? "lost" : `running on ${runner}`;
  const said = vm.state === "lost" ? "lost" : `${vm.state} on ${vm.host}`;
  if (said !== place) found.push(`the inventory says that the VM is ${said}, but it is ${place}`);
  return found;
}

export const unended = (task: Task): string =>
  `task ${task.id} (${task.kind}) is ${task.state}: ${task.waitingFor?.message ?? moveOf(task)?.phase ?? "not started"}`;

/** Errors that say nothing of where the VM is. */
const saysNothing = new Set(["INTERNAL", "OUTCOME_UNKNOWN", "CONNECTION_FAILED"]);

function saysSo({ state, error }: Pick<Task, "state" | "error">, outcome: Outcome, phase: Phase): boolean {
  switch (outcome) {
    case "destination":
      return state === "succeeded" && error === null;
    case "source":
      return (
        state === "failed" && error !== null && error.code !== "MOVE_VM_LOST" && !saysNothing.has(error.code)
      );
    case "dead-host":
      // A VM that died after it had moved: the move was done, and the inventory says that the VM is lost.
      return state === "failed"
        ? error?.code === "MOVE_VM_LOST"
        : state === "succeeded" && movedBefore.has(phase);
  }
}
const movedBefore = new Set<Phase>(["running", "cleaning", "lease-converted"]);
