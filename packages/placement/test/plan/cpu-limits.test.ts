/** What VMs get of CPUs at most: their own limits, and the parts of what a resource pool may use. */
import type { PoolRuleTerms, VmId } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { cpuLimits } from "../../src/index.ts";
import type { PoolRule } from "../../src/rules/pool-rule.ts";

const rule = (name: string, terms: PoolRuleTerms, vms: readonly string[] = []): PoolRule => ({
  ...{ pool: "east", name, terms, hosts: [] },
  vms: vms.map((id) => ({ id: id as VmId, name: id })),
});
const vm = (id: string, demandCpus: number | null = null, { runs = true, vcpus = 4 } = {}) => ({
  ...{ id, vcpus, demandCpus, runs },
});
const limits = (vms: Parameters<typeof cpuLimits>[0], rules: PoolRule[]) =>
  Object.fromEntries(cpuLimits(vms, rules));

test("a VM's own limit holds as it is, whether it runs or not; others have none", () => {
  const rules = [
    rule("r", { kind: "cpu", limitCores: 1.5 }, ["a", "off"]),
    rule("s", { kind: "cpu", shares: 5 }, ["b"]),
  ];
  expect(limits([vm("a", 0), vm("b"), vm("off", null, { runs: false })], rules)).toEqual({
    a: 1.5,
    off: 1.5,
  });
  expect(limits([vm("a")], [rule("p", { kind: "resourcePool", shares: 10 }, ["a"])])).toEqual({});
});

test("what a resource pool may use goes to those that want it, and what is left by shares", () => {
  const gold = (limitCores: number) => rule("gold", { kind: "resourcePool", limitCores }, ["a", "b"]);
  expect(limits([vm("a"), vm("b"), vm("c")], [gold(3)])).toEqual({ a: 1.5, b: 1.5 });
  const asleep = limits([vm("a", 3), vm("b", 0)], [gold(3)]);
  expect(asleep.a).toBeCloseTo(2.95);
  expect(asleep.b).toBeCloseTo(0.05);
  const light = limits([vm("a", 1), vm("b", 1)], [gold(6)]);
  expect(light).toEqual({ a: 3, b: 3 });
});

test("a limit of a parent holds for all in it; a VM's own limit leaves more to the others", () => {
  const rules = [
    rule("prod", { kind: "resourcePool", limitCores: 4 }),
    rule("web", { kind: "resourcePool", parent: "prod" }, ["w1", "w2"]),
    rule("db", { kind: "resourcePool", parent: "prod" }, ["d"]),
    rule("small", { kind: "cpu", limitCores: 0.5 }, ["w1"]),
  ];
  expect(limits([vm("w1"), vm("w2"), vm("d")], rules)).toEqual({ w1: 0.5, w2: 1.5, d: 2 });
});

test("one that does not run takes nothing from the others, and has its part when it starts", () => {
  const gold = rule("gold", { kind: "resourcePool", limitCores: 3 }, ["a", "off"]);
  expect(limits([vm("a"), vm("off", null, { runs: false })], [gold])).toEqual({ a: 3, off: 1.5 });
});

test("for any demands, shares and limits: those that run get no more together than the limit of any resource pool around them", () => {
  const amount = fc.double({ min: 0.1, max: 8, noNaN: true });
  const one = fc.record({
    demand: fc.option(amount, { nil: null }),
    vcpus: fc.integer({ min: 1, max: 8 }),
    shares: fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined }),
    own: fc.option(amount, { nil: undefined }),
    inner: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 1, maxLength: 6 }),
      amount,
      fc.option(amount, { nil: undefined }),
      (some, outerLimit, innerLimit) => {
        const named = some.map((each, index) => ({ ...each, id: `v${String(index)}` }));
        const ids = (inner: boolean) => named.filter((each) => each.inner === inner).map(({ id }) => id);
        const rules = [
          rule("outer", { kind: "resourcePool", limitCores: outerLimit }, ids(false)),
          rule(
            "inner",
            {
              kind: "resourcePool",
              parent: "outer",
              ...(innerLimit === undefined ? {} : { limitCores: innerLimit }),
            },
            ids(true),
          ),
          ...named.flatMap(({ id, shares, own }) =>
            shares === undefined && own === undefined
              ? []
              : [
                  rule(
                    `of-${id}`,
                    {
                      kind: "cpu",
                      ...(shares === undefined ? {} : { shares }),
                      ...(own === undefined ? {} : { limitCores: own }),
                    },
                    [id],
                  ),
                ],
          ),
        ];
        const found = cpuLimits(
          named.map(({ id, demand, vcpus }) => vm(id, demand, { vcpus })),
          rules,
        );
        const sum = (of: readonly string[]) => of.reduce((all, id) => all + (found.get(id) ?? Infinity), 0);
        // The least that can be set.
        const slack = 0.01 * named.length + 1e-6;
        expect(sum(named.map(({ id }) => id))).toBeLessThanOrEqual(outerLimit + slack);
        if (innerLimit !== undefined) expect(sum(ids(true))).toBeLessThanOrEqual(innerLimit + slack);
        for (const { id, own } of named) expect(found.get(id)).toBeLessThanOrEqual(own ?? Infinity);
      },
    ),
  );
});
