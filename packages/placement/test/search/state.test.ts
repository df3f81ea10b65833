/** What a change is judged to add is what it adds when everything is computed again. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { compile } from "../../src/plan/compile.ts";
import { defaultOptions } from "../../src/plan/pool.ts";
import { Chain } from "../../src/search/deltas/chain.ts";
import type { Delta } from "../../src/search/deltas/delta.ts";
import { Exchange } from "../../src/search/deltas/exchange.ts";
import { Group } from "../../src/search/deltas/group.ts";
import { Shift } from "../../src/search/deltas/shift.ts";
import { Swap } from "../../src/search/deltas/swap.ts";
import { violationWeight } from "../../src/search/problem.ts";
import { Random } from "../../src/search/random.ts";
import { State } from "../../src/search/state.ts";
import { randomPool } from "../plan/pools.ts";

test.each(["one after the other", "all at once"])(
  "a delta equals the difference of two full counts: moves %s",
  (when) => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.constantFrom("happy" as const, "even" as const), (seed, goal) => {
        const { problem, together } = compile(randomPool(seed), { ...defaultOptions, goal });
        if (problem.vms === 0) return;
        if (when === "all at once") problem.held[0] = 1;
        const state = new State(problem);
        const random = new Random(seed);
        const deltas: Delta[] = [new Shift(), new Swap(), new Chain(), new Exchange(), new Group(together)];
        for (let step = 0; step < 60; step += 1) {
          const delta = deltas[random.below(deltas.length)] as Delta;
          const before = snapshot(state);
          const judged = delta.propose(state, random);
          if (Number.isNaN(judged)) {
            same(snapshot(state), before);
            continue;
          }
          if (random.next() < 0.3) {
            delta.revert(state);
            same(snapshot(state), before);
            continue;
          }
          delta.commit(state);
          const added = snapshot(state);
          state.recompute();
          const full = snapshot(state);
          same(added, full);
          const real = (full.violations - before.violations) * violationWeight + (full.cost - before.cost);
          expect(Math.abs(judged - real)).toBeLessThanOrEqual(
            1e-6 * (1 + Math.abs(real) + Math.abs(before.cost)),
          );
        }
      }),
      { numRuns: 100 },
    );
  },
);

interface Snapshot {
  cost: number;
  violations: number;
  moved: number;
  hosts: string;
  usage: number[];
}
const snapshot = ({ cost, violations, moved, hostOf, usage, heldUsage }: State): Snapshot => ({
  ...{ cost, violations, moved, hosts: hostOf.join() },
  usage: [...usage, ...heldUsage],
});

function same(a: Snapshot, b: Snapshot): void {
  expect(a.hosts).toBe(b.hosts);
  expect(a.moved).toBe(b.moved);
  expect(Math.abs(a.violations - b.violations)).toBeLessThanOrEqual(1e-6);
  expect(Math.abs(a.cost - b.cost)).toBeLessThanOrEqual(1e-6 * (1 + Math.abs(b.cost)));
  const off = a.usage.map(
    (amount, index) => Math.abs(amount - (b.usage[index] ?? 0)) / (1 + Math.abs(amount)),
  );
  expect(Math.max(...off)).toBeLessThanOrEqual(1e-6);
}
