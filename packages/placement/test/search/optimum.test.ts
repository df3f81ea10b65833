/** Small pools, for which an exact solver (HiGHS) knows the best placement there is, and whether a packing exists. */
import loadHighs from "highs";
import { expect, test } from "vitest";
import { KeepApart } from "../../src/rules/keep-apart.ts";
import { admitFailures } from "../../src/search/admission.ts";
import { anneal } from "../../src/search/anneal.ts";
import { Chain } from "../../src/search/deltas/chain.ts";
import { Shift } from "../../src/search/deltas/shift.ts";
import { Swap } from "../../src/search/deltas/swap.ts";
import { descend } from "../../src/search/descend.ts";
import type { Problem } from "../../src/search/problem.ts";
import { Random } from "../../src/search/random.ts";
import { State } from "../../src/search/state.ts";
import { MoveCost } from "../../src/terms/move-cost.ts";
import { Overload } from "../../src/terms/overload.ts";

/** Its own types are those of its CommonJS door; this is the other one. */
const highs = await (loadHighs as unknown as () => Promise<Solver>)();
interface Solver {
  solve(text: string, options: object): { Status: string; ObjectiveValue: number };
}

interface Small {
  problem: Problem;
  level: number;
  moveCosts: Float64Array;
  apart: number[];
}

/** Resources: memory with a cap, and load above a level of which each unit costs 10. All amounts are whole. */
function small(seed: number, fill: number): Small {
  const random = new Random(seed);
  const hosts = 3 + random.below(2);
  const cap = 20;
  const sizes: number[] = [];
  const used = new Array<number>(hosts).fill(0);
  const origin: number[] = [];
  for (let vm = 0; vm < 9; vm += 1) {
    const size = 2 + random.below(8);
    const on = [...used.keys()].find((host) => (used[host] ?? 0) + size <= cap * fill);
    if (on === undefined) continue;
    used[on] = (used[on] ?? 0) + size;
    origin.push(on);
    sizes.push(size);
  }
  const vms = sizes.length;
  const loads = sizes.map(() => 1 + random.below(9));
  const moveCosts = Float64Array.from(sizes, (size) => 1 + size / 4);
  const apart = [0, 3, 6].filter((vm) => vm < vms);
  const level = Math.ceil(loads.reduce((sum, load) => sum + load, 0) / hosts);
  const own = Int32Array.from({ length: hosts }, (_, host) => host);
  const problem: Problem = {
    ...{ hosts, vms, resources: 2, origin: Int32Array.from(origin) },
    demand: Float64Array.from(sizes.flatMap((size, vm) => [size, loads[vm] ?? 0])),
    capacity: capacityOf(hosts, cap),
    held: new Uint8Array(2),
    open: new Uint8Array(hosts).fill(1),
    movable: new Uint8Array(vms).fill(1),
    hostTerms: [
      new Overload(
        "load",
        Float64Array.from({ length: hosts * 2 }, (_, i) => (i % 2 === 0 ? 1e9 : level)),
        Float64Array.of(0, 10),
      ),
    ],
    poolTerms: [],
    vmTerms: [new MoveCost("move", Int32Array.from(origin), moveCosts, hosts)],
    groupTerms: [new KeepApart({ groups: [apart], domainOf: own, vms }, { hard: true, weight: 1 })],
  };
  return { problem, level, moveCosts, apart };
}

const capacityOf = (hosts: number, cap: number) =>
  Float64Array.from({ length: hosts * 2 }, (_, index) => (index % 2 === 0 ? cap : Infinity));

/** @param failed a host that takes no VM; those of the others stay @returns the cost; null: there is no such placement */
function optimum({ problem, level, moveCosts, apart }: Small, failed?: number): number | null {
  const { hosts, vms, demand, capacity, origin } = problem;
  const all = [...Array(hosts).keys()];
  const x = (vm: number, host: number) => `x${String(vm)}_${String(host)}`;
  const sum = (terms: readonly string[]) => terms.join(" + ");
  const vmList = [...Array(vms).keys()];
  const rows = [
    ...vmList.map((vm) => `${sum(all.map((host) => x(vm, host)))} = 1`),
    ...all.map(
      (host) =>
        `${sum(vmList.map((vm) => `${String(demand[vm * 2])} ${x(vm, host)}`))} <= ${String(capacity[host * 2])}`,
    ),
    ...all.map(
      (host) =>
        `${sum(vmList.map((vm) => `${String(demand[vm * 2 + 1])} ${x(vm, host)}`))} - o${String(host)} <= ${String(level)}`,
    ),
    ...(apart.length > 1 ? all.map((host) => `${sum(apart.map((vm) => x(vm, host)))} <= 1`) : []),
    ...(failed === undefined
      ? []
      : vmList.flatMap((vm) => {
          const on = origin[vm] ?? 0;
          return [`${x(vm, failed)} = 0`, ...(on === failed ? [] : [`${x(vm, on)} = 1`])];
        })),
  ];
  const objective = [
    ...all.map((host) => `10 o${String(host)}`),
    ...vmList.flatMap((vm) =>
      all.filter((host) => host !== origin[vm]).map((host) => `${String(moveCosts[vm])} ${x(vm, host)}`),
    ),
  ];
  const binaries = vmList.flatMap((vm) => all.map((host) => x(vm, host)));
  const text = `Minimize\n obj: ${sum(objective)}\nSubject To\n${rows.map((row, i) => ` c${String(i)}: ${row}`).join("\n")}\nBinary\n ${binaries.join(" ")}\nEnd`;
  const result = highs.solve(text, { output_flag: false });
  return result.Status === "Optimal" ? result.ObjectiveValue : null;
}

test("the search finds the best placement of small pools", () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const one = small(seed, 0.8);
    const best = optimum(one);
    if (best === null) continue;
    const state = new State(one.problem);
    descend(state, { maxMoves: Infinity, minGain: 1e-9 });
    anneal(state, {
      deltas: [new Shift(), new Swap(), new Chain()].map((delta) => ({ delta, share: 1 })),
      ...{ random: new Random(seed), steps: 60_000, temperature: 20, maxMoves: Infinity },
    });
    if (state.violations === 0) expect(state.cost, `seed ${String(seed)}`).toBeCloseTo(best, 6);
    else expect(state.violations, "a rule that was broken and could hold").toBe(0);
  }
});

test("admission says yes only where a packing exists, and seldom no where one does", () => {
  let missed = 0;
  let asked = 0;
  for (let seed = 1; seed <= 40; seed += 1) {
    const made = small(seed, 0.85);
    const one = { ...made, apart: [], problem: { ...made.problem, groupTerms: [] } };
    for (let host = 0; host < one.problem.hosts; host += 1) {
      const exists = optimum(one, host) !== null;
      const { survives } = admitFailures(one.problem, one.problem.origin, [host]);
      asked += 1;
      if (survives) expect(exists, `seed ${String(seed)}, host ${String(host)}`).toBe(true);
      else if (exists) missed += 1;
    }
  }
  expect(missed / asked).toBeLessThan(0.05);
});
