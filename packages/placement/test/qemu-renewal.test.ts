/** VMs of a host come onto its upgraded QEMU by moves away and back: one at a time, none is forgotten, all are accounted for. */
import { GodwitError, type Problem, type VmView } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { MoveTask } from "../src/emptying.ts";
import { nextRenewal, renewalEnd, renewalOf, type RenewalStanding } from "../src/qemu-renewal.ts";

const names = ["web-1", "web-2", "web-3"];
const vmOf = (name: string, o: Partial<VmView> = {}): VmView =>
  ({ id: name, name, host: "a", state: "running", ...o }) as VmView;
const moveOf = (name: string, to: string, state: MoveTask["state"], error: Problem | null = null): MoveTask =>
  ({
    kind: "vm.migrate",
    subject: { kind: "vm", id: name, name },
    request: { to },
    state,
    error,
  }) as MoveTask;
const standingOf = (o: Partial<RenewalStanding>): RenewalStanding => ({
  ...{ host: "a", cancelling: false, moves: [] },
  wanted: names.map((name) => ({ id: name, name })),
  vms: names.map((name) => vmOf(name)),
  ...o,
});
const passing = GodwitError.of("MOVE_COPY_FAILED", { vm: "web-1", reason: "x" }).problem;
const lasting = GodwitError.of("DESTINATION_NONE", { host: "a", vm: "web-1" }).problem;
const none = new Map<string, never[]>();
const next = (o: Partial<RenewalStanding>) => {
  const found = nextRenewal(standingOf(o), none);
  return found === null || found === "wait" ? found : `${found.mover.vm.name} ${found.is}`;
};

test("each moves away and back, one after the other", () => {
  expect(next({})).toBe("web-1 away");
  expect(next({ moves: [moveOf("web-1", "b", "running")] })).toBe("wait");
  const away = [vmOf("web-1", { host: "b" }), ...names.slice(1).map((name) => vmOf(name))];
  const left = moveOf("web-1", "b", "succeeded");
  expect(next({ vms: away, moves: [left] })).toBe("web-1 back");
  expect(next({ moves: [left, moveOf("web-1", "a", "succeeded")] })).toBe("web-2 away");
});

test("a move is tried again where that may help, first at another host, and then given up with its reason", () => {
  const failed = (count: number) =>
    Array.from({ length: count }, () => moveOf("web-1", "b", "failed", passing));
  expect(passing.retry).toBe("later");
  const again = nextRenewal(standingOf({ moves: failed(2) }), none);
  expect(again).toMatchObject({ is: "away", mover: { vm: { name: "web-1" }, failedAt: ["b", "b"] } });
  expect(next({ moves: failed(3) })).toBe("web-2 away");
  expect(next({ moves: [moveOf("web-1", "b", "failed", lasting)] })).toBe("web-2 away");
  expect(renewalOf(standingOf({ moves: failed(3) }), { id: "web-1", name: "web-1" })).toEqual({
    ...{ is: "outdated", problem: passing },
  });
});

test("a VM that was stopped, deleted or moved by somebody else is left to that", () => {
  const vms = [vmOf("web-1", { state: "stopped" }), vmOf("web-3", { host: "c" })];
  expect(next({ vms })).toBe(null);
  expect(renewalEnd(standingOf({ vms }), none)).toEqual({ renewed: names, problem: null });
});

test("cancelled, a VM that is away comes back, and no other one leaves", () => {
  const vms = [vmOf("web-1", { host: "b" }), vmOf("web-2"), vmOf("web-3")];
  const left = moveOf("web-1", "b", "succeeded");
  expect(next({ cancelling: true, vms, moves: [left] })).toBe("web-1 back");
  const back = { cancelling: true, moves: [left, moveOf("web-1", "a", "succeeded")] };
  expect(next(back)).toBe(null);
  expect(renewalEnd(standingOf(back), none)).toMatchObject({
    problem: {
      code: "QEMU_RENEWAL_CANCELLED",
      details: { host: "a", renewed: ["web-1"], left: ["web-2", "web-3"] },
    },
  });
});

test("what is left is named, with what is wrong: not away, and not back", () => {
  const vms = [vmOf("web-1", { host: "b" }), vmOf("web-2"), vmOf("web-3")];
  const moves = [moveOf("web-1", "b", "succeeded"), moveOf("web-1", "a", "failed", lasting)];
  const { problem } = renewalEnd(standingOf({ vms, moves }), none);
  expect(problem).toMatchObject({
    code: "QEMU_RENEWAL_INCOMPLETE",
    details: { outdated: ["web-2", "web-3"], away: ["web-1"] },
    findings: [{ code: "DESTINATION_NONE", vm: "web-1" }],
  });
  expect(problem?.remedy).toContain("godwit vm migrate web-1 --to a");
});

test("whatever moves come to, it ends, one VM is away at a time, and every VM is told of once", () => {
  const outcome = fc.constantFrom("succeeded", "failed later", "failed", "cancelled", "refused");
  fc.assert(
    fc.property(fc.array(outcome, { maxLength: 40 }), fc.nat(40), (outcomes, cancelledAt) => {
      const vms = names.map((name) => vmOf(name));
      const moves: MoveTask[] = [];
      const stuck = new Map<string, never[]>();
      for (let step = 0; step < 100; step++) {
        const standing = standingOf({ vms, moves, cancelling: step >= cancelledAt });
        const found = nextRenewal(standing, stuck);
        if (found === "wait") throw new Error("nothing is under way");
        if (found === null) {
          const { renewed, problem } = renewalEnd(standing, stuck);
          const {
            outdated = [],
            away = [],
            left = [],
          } = (problem?.details ?? {}) as Record<string, string[]>;
          expect([...renewed, ...outdated, ...away, ...left].sort()).toEqual(names);
          expect([...away].sort()).toEqual(vms.filter(({ host }) => host !== "a").map(({ name }) => name));
          return;
        }
        const { vm } = found.mover;
        // Only one whose way back was given up stays away while others leave.
        if (found.is === "away") expect(standing.cancelling).toBe(false);
        const to = found.is === "away" ? "b" : "a";
        const came = outcomes[step] ?? "succeeded";
        if (came === "refused") stuck.set(vm.id, []);
        else if (came === "failed later") moves.push(moveOf(vm.name, to, "failed", passing));
        else if (came === "failed") moves.push(moveOf(vm.name, to, "failed", lasting));
        else if (came === "cancelled") moves.push(moveOf(vm.name, to, "cancelled", lasting));
        else {
          moves.push(moveOf(vm.name, to, "succeeded"));
          vms.splice(vms.indexOf(vm), 1, vmOf(vm.name, { host: to }));
        }
      }
      throw new Error("it does not end");
    }),
  );
});
