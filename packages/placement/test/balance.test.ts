/** The balancer's decisions: what comes next, what is left alone, and that a round can be asked later. */
import type { RoundMove, TaskId } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  defaultOptions,
  explainVm,
  frozenVms,
  nextOfRound,
  packedPool,
  planPool,
  restSkipped,
  settledSince,
  unpackedPool,
  whyNot,
  type Pool,
} from "../src/index.ts";

const task = "44444444-4444-4444-8444-444444444444" as TaskId;
const move = (after: number[] = [], state: RoundMove["state"] = "recommended"): RoundMove => ({
  ...{ vm: "web-1", from: "a", to: "b", reason: "load", gain: 1, cost: 0, risk: 0, after, state },
  ...{ detail: null, task: null },
});

test("moves are made one after the other, none before those that it waits for, and none after one failed", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(8), { maxLength: 3 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.constantFrom<RoundMove["state"]>("done", "skipped", "failed"), {
        minLength: 8,
        maxLength: 8,
      }),
      (waits, ends) => {
        let moves = waits.map((after, index) => move(after.filter((one) => one < index)));
        for (let next = nextOfRound(moves); next !== null; next = nextOfRound(moves)) {
          const at = next;
          expect(moves.every(({ state }) => state !== "failed" && state !== "running")).toBe(true);
          expect(moves[at]?.after.every((one) => moves[one]?.state === "done")).toBe(true);
          moves = moves.map((one, index) => (index === at ? { ...one, state: ends[at] ?? "done" } : one));
        }
        expect(restSkipped(moves, "over").some(({ state }) => state === "recommended")).toBe(false);
      },
    ),
  );
});

test("a VM whose move failed is frozen for half an hour; one that moved is settled, whichever way", () => {
  const nowMs = 10_000_000;
  const recent = [
    { vmId: "1", task, endedAtMs: nowMs - 600_000, failed: true },
    { vmId: "2", task, endedAtMs: nowMs - 1_800_000, failed: true },
    { vmId: "3", task, endedAtMs: nowMs - 60_000, failed: false },
    { vmId: "3", task, endedAtMs: nowMs - 3_000_000, failed: false },
  ];
  expect([...frozenVms(recent, nowMs)]).toEqual([["1", { untilMs: nowMs + 1_200_000, task }]]);
  expect([...settledSince(recent, nowMs)]).toEqual([
    ["1", 600],
    ["2", 1800],
    ["3", 60],
  ]);
});

test("a move that does not hold any more is not begun, and the reason is told", () => {
  const fine = {
    vm: { name: "web-1", host: "a", state: "running" as const },
    ...{ hosts: ["a", "b"], isBusy: false, isFrozen: false, refusals: [] },
  };
  expect(whyNot(move(), fine)).toBeNull();
  expect(whyNot(move(), { ...fine, vm: null })).toContain("no more");
  expect(whyNot(move(), { ...fine, vm: { ...fine.vm, host: "c" } })).toContain("on c");
  expect(whyNot(move(), { ...fine, vm: { ...fine.vm, state: "paused" } })).toContain("paused");
  expect(whyNot(move(), { ...fine, hosts: ["a"] })).toContain("not in the pool");
  expect(whyNot(move(), { ...fine, isBusy: true })).toContain("task");
  expect(whyNot(move(), { ...fine, isFrozen: true })).toContain("failed");
  expect(whyNot(move(), { ...fine, refusals: ["Host b is full."] })).toBe("Host b is full.");
});

test("a round that is kept gives the same plan and the same explanation later", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 4, noNaN: true }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      (loads, threshold) => {
        const pool: Pool = {
          hosts: ["a", "b", "c"].map((name) => ({ name, cores: 4, memoryBytes: 2 ** 34, state: "open" })),
          vms: loads.map((mean, index) => ({
            ...{
              name: `vm-${String(index)}`,
              host: "a",
              vcpus: 4,
              memoryBytes: 2 ** 30,
              activeBytes: 2 ** 29,
            },
            load: { mean, deviation: mean / 10 },
            move: { seconds: 5, slowdown: 0.1, outageSeconds: 0.05 },
            excluded: new Map(index % 2 === 0 ? [["b", "it lacks the storage"]] : []),
          })),
          rules: [],
        };
        const options = { ...defaultOptions, threshold: threshold as 1 | 2 | 3 | 4 | 5 };
        const plan = planPool(pool, options);
        const later = unpackedPool(packedPool(pool));
        expect(planPool(later, options)).toEqual(plan);
        for (const { name } of pool.vms)
          expect(explainVm(later, options, plan, name)).toEqual(explainVm(pool, options, plan, name));
      },
    ),
    { numRuns: 40 },
  );
});
