/** What hosts enforce of shares: a resource pool is as heavy however many VMs are in it. */
import type { PoolRuleTerms, VmId } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuWeights } from "../../src/index.ts";
import type { PoolRule } from "../../src/rules/pool-rule.ts";

const rule = (name: string, terms: PoolRuleTerms, vms: readonly string[] = []): PoolRule => ({
  ...{ pool: "east", name, terms, hosts: [] },
  vms: vms.map((id) => ({ id: id as VmId, name: id })),
});
const pool = (name: string, vms: readonly string[], o: { shares?: number; parent?: string } = {}) =>
  rule(name, { kind: "resourcePool", ...o }, vms);
/** All of them want all that they can use, but those that are named. */
const vms = (names: readonly string[], vcpus = 2, demands: Record<string, number> = {}) =>
  names.map((id) => ({ id, vcpus, demandCpus: demands[id] ?? null }));
const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index)}`);
const sumOf = (weights: ReadonlyMap<string, number>, names: readonly string[]) =>
  names.reduce((sum, name) => sum + (weights.get(name) ?? 0), 0);

test("a reservation alone makes a VM as heavy as it must be to get it beside VMs that want all", () => {
  const nine = many("m", 9);
  const weights = cpuWeights(vms(["r", ...nine]), 2, [rule("r", { kind: "cpu", reservedCores: 1 }, ["r"])]);
  expect(weights.get("r")).toBe(500);
  expect(sumOf(weights, nine)).toBeCloseTo(500, -1);
});

test("without shares, reservations and resource pools nothing is weighted", () => {
  expect(cpuWeights(vms(["a", "b"]), 2, [])).toEqual(new Map());
  expect(cpuWeights(vms(["a"]), 2, [rule("r", { kind: "cpu", limitCores: 1 }, ["a"])])).toEqual(new Map());
  expect(cpuWeights([], 2, [pool("gold", [])])).toEqual(new Map());
});

test("one VM of a pool weighs as much as the nine of another with the same shares", () => {
  const nine = many("m", 9);
  const rules = [pool("gold", ["g"], { shares: 4000 }), pool("silver", nine, { shares: 4000 })];
  const weights = cpuWeights(vms(["g", ...nine]), 2, rules);
  expect(weights.get("g")).toBe(500);
  expect(sumOf(weights, nine)).toBeCloseTo(500, -1);
});

test("shares of pools within pools, and of VMs in one", () => {
  const rules = [
    pool("prod", [], { shares: 3000 }),
    pool("web", ["w"], { parent: "prod", shares: 1000 }),
    pool("db", ["d1", "d2"], { parent: "prod", shares: 2000 }),
    pool("test", ["t"], { shares: 1000 }),
    rule("first", { kind: "cpu", shares: 6000 }, ["d1"]),
  ];
  const weights = cpuWeights(vms(["w", "d1", "d2", "t"], 4), 4, rules);
  // Of 400: 300 to prod, of that 100 to web and 200 to db, 3 to 2 by VMs' own shares (4 vCPUs: 4000).
  expect(Object.fromEntries(weights)).toEqual({ w: 100, d1: 120, d2: 80, t: 100 });
});

test("what one does not want goes to the others of its resource pool first; asleep it keeps its weight", () => {
  const rules = [pool("gold", ["g1", "g2"]), pool("silver", ["s"])];
  const all = cpuWeights(vms(["g1", "g2", "s"], 4), 4, rules);
  expect(Object.fromEntries(all)).toEqual({ g1: 75, g2: 75, s: 150 });
  const asleep = cpuWeights(vms(["g1", "g2", "s"], 4, { g1: 0 }), 4, rules);
  expect(Object.fromEntries(asleep)).toEqual({ g1: 75, g2: 150, s: 150 });
  const silver = cpuWeights(vms(["g1", "g2", "s"], 4, { s: 0 }), 4, rules);
  expect(Object.fromEntries(silver)).toEqual({ g1: 150, g2: 150, s: 150 });
});

test("for any demand: no VM weighs less than if all wanted all", () => {
  const demand = fc.option(fc.double({ min: 0, max: 8, noNaN: true }), { nil: null });
  fc.assert(
    fc.property(fc.array(demand, { minLength: 2, maxLength: 8 }), (demands) => {
      const some = demands.map((demandCpus, index) => ({ id: `v${String(index)}`, vcpus: 4, demandCpus }));
      const rules = [pool("one", ["v0", "v2", "v4"]), pool("two", ["v1"], { shares: 8000 })];
      const now = cpuWeights(some, 4, rules);
      const ifAll = cpuWeights(
        some.map((vm) => ({ ...vm, demandCpus: null })),
        4,
        rules,
      );
      for (const [id, weight] of ifAll) expect(now.get(id)).toBeGreaterThanOrEqual(weight);
    }),
  );
});

test("for any tree: weights are what the kernel takes, and each resource pool has its part of them", () => {
  const counts = fc.integer({ min: 1, max: 12 });
  const shares = fc.integer({ min: 100, max: 10_000 });
  fc.assert(
    fc.property(counts, counts, shares, shares, (one, other, first, second) => {
      const [a, b] = [many("a", one), many("b", other)];
      const rules = [pool("a", a, { shares: first }), pool("b", b, { shares: second })];
      // More than the host has, so that nobody's own size is its limit.
      const weights = cpuWeights(vms([...a, ...b], 64), 4, rules);
      for (const weight of weights.values()) {
        expect(Number.isInteger(weight)).toBe(true);
        expect(weight).toBeGreaterThanOrEqual(1);
        expect(weight).toBeLessThanOrEqual(10_000);
      }
      const part = sumOf(weights, a) / (sumOf(weights, a) + sumOf(weights, b));
      // Weights are whole numbers: of small ones the part is a little off.
      expect(Math.abs(part - first / (first + second))).toBeLessThan(0.05);
    }),
  );
});
