/** Resource pools of a pool: what their VMs count for in a plan, and which cannot be made. */
import { expect, test } from "vitest";
import { judgeRule, type PoolRule } from "../../src/index.ts";
import { withRules } from "../../src/plan/with-rules.ts";
import { hostReport, vmView } from "../hosts.ts";
import { ruleOf } from "../rules/rules.ts";
import { host, vm } from "./pools.ts";

const views = [1, 2, 3, 4].map((index) => vmView(index, 1024));
const named = (...numbers: number[]) => views.filter((_, index) => numbers.includes(index + 1));
const group = (name: string, terms: object, ...numbers: number[]): PoolRule =>
  ruleOf(name, { kind: "resourcePool", ...terms }, named(...numbers));
/** What each VM counts for, when each wants four CPUs. */
const limits = (cores: number, ...rules: PoolRule[]) => {
  const vms = views.map(({ name }) => vm(name, "a", { vcpus: 4, load: { mean: 4, deviation: 0 } }));
  const { vms: after } = withRules({ hosts: [host("a", { cores })], vms, rules: [] }, rules);
  return after.map(({ limitCores }) =>
    limitCores === undefined ? null : Math.round(limitCores * 100) / 100,
  );
};

test("shares are the resource pool's own, however many VMs are in it", () => {
  const gold = group("gold", { shares: 4000 }, 1);
  const silver = group("silver", { shares: 4000 }, 2, 3, 4);
  expect(limits(6, gold, silver)).toEqual([3, 1, 1, 1]);
  expect(limits(100, gold, silver)).toEqual([null, null, null, null]);
});

test("they lie in each other, a reservation comes first, and one whose parent is gone is a part of the whole", () => {
  const prod = group("prod", { shares: 3000 });
  const inner = [group("web", { parent: "prod" }, 1), group("db", { parent: "prod" }, 2)];
  const test3 = group("test", { shares: 1000 }, 3, 4);
  expect(limits(8, prod, ...inner, test3)).toEqual([3, 3, 1, 1]);
  expect(limits(8, prod, ...inner, group("test", { shares: 1000, reservedCores: 4 }, 3, 4))).toEqual([
    2, 2, 2, 2,
  ]);
  expect(limits(8, ...inner, group("test", { shares: 4000 }, 3, 4))).toEqual([2.67, 2.67, 1.33, 1.33]);
});

test("a limit holds also where there is more than enough", () => {
  expect(limits(100, group("small", { limitCores: 3 }, 1, 2, 3))).toEqual([1, 1, 1, null]);
});

const hosts = ["a", "b"].map((name) => {
  const { facts } = hostReport(name);
  return { name, facts: { ...facts, cpu: { ...facts.cpu, logicalCpus: 8 } } };
});
const judge = (rule: PoolRule, ...others: PoolRule[]) => judgeRule({ rule, others, hosts, vms: views });

test("what cannot hold is refused when it is made", () => {
  const prod = group("prod", { limitCores: 10, reservedCores: 8 });
  expect(judge(prod)).toEqual([]);
  expect(judge(group("web", { parent: "prod", reservedCores: 6 }, 1), prod)).toEqual([]);
  expect(judge(group("web", { parent: "gone" }, 1), prod)).toEqual([
    "There is no resource pool gone in the pool.",
  ]);
  const web = group("web", { parent: "prod", reservedCores: 6 }, 1);
  expect(judge(group("db", { parent: "prod", reservedCores: 6 }, 2), prod, web)).toEqual([
    "In resource pool prod 12 CPUs would be reserved, and its limit is 10.",
  ]);
  expect(judge(group("other", {}, 1), prod, web)).toEqual(["VM vm-1 is in resource pool web already."]);
  expect(judge(group("test", { reservedCores: 9 }), prod)).toEqual([
    "With it 17 CPUs are reserved by resource pools, and the pool has 16.",
  ]);
  expect(judge(group("odd", { reservedCores: 3, limitCores: 2 }))).toEqual([
    "It reserves more than its limit allows.",
  ]);
  const nested = Array.from({ length: 8 }, (_, index) =>
    group(`p${String(index)}`, index === 0 ? {} : { parent: `p${String(index - 1)}` }),
  );
  expect(judge(group("deep", { parent: "p7" }), ...nested)).toEqual([
    "Resource pools lie in each other 8 deep at most.",
  ]);
});
