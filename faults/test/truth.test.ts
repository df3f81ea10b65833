/** What the fault campaign takes for true: exactly the one end and place that fit where the VM runs. */
import { GodwitError, type Problem, type Task, type TaskState, type VmState } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { untruths, type Outcome } from "../truth.ts";
import type { Phase } from "../phases.ts";

/** A task as far as its truth goes. */
const task = (state: TaskState, error: Problem | null): Task =>
  ({
    id: "11111111-1111-4111-8111-111111111111",
    kind: "vm.migrate",
    state,
    phase: null,
    waitingFor: null,
    move: null,
    error,
  }) as unknown as Task;
const details = { vm: "web-1", host: "a", reason: "it was killed", forMs: 30_000, reference: "1" };
const { problem: lost } = GodwitError.of("MOVE_VM_LOST", details);
const { problem: peerLost } = GodwitError.of("MOVE_PEER_LOST", details);
const { problem: internal } = GodwitError.of("INTERNAL", details);
const early: readonly Phase[] = ["copying", "committed"];
const late: readonly Phase[] = ["running", "cleaning", "lease-converted"];
const runnerOf = { source: "a", destination: "b", "dead-host": null } as const;

test("of all ends and places that can be told, only those that are so pass", () => {
  const anyEnd = fc.record({
    state: fc.constantFrom<TaskState>("queued", "running", "cancelling", "succeeded", "failed", "cancelled"),
    error: fc.constantFrom(null, lost, peerLost, internal),
    vmState: fc.constantFrom<VmState>("running", "paused", "stopped", "lost"),
    host: fc.constantFrom("a", "b"),
    outcome: fc.constantFrom<Outcome>("source", "destination", "dead-host"),
    phase: fc.constantFrom(...early, ...late),
  });
  fc.assert(
    fc.property(anyEnd, ({ state, error, vmState, host, outcome, phase }) => {
      const runner = runnerOf[outcome];
      const end = {
        source: state === "failed" && error === peerLost,
        destination: state === "succeeded" && error === null,
        "dead-host":
          (state === "failed" && error === lost) || (state === "succeeded" && late.includes(phase)),
      }[outcome];
      const place = runner === null ? vmState === "lost" : vmState === "running" && host === runner;
      const found = untruths(task(state, error), { state: vmState, host }, outcome, runner, phase);
      expect(found).toHaveLength(Number(!end) + Number(!place));
    }),
    { numRuns: 2000 },
  );
});

test("an error without a sentence is one", () => {
  const silent = task("failed", { ...peerLost, detail: " " });
  const vm = { state: "running" as const, host: "a" };
  expect(untruths(silent, vm, "source", "a", "copying")).toEqual(["the task's sentence is empty"]);
});
