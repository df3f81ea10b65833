/** Every VM's move, and every VM's staying, has its reason. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { explainVm } from "../../src/plan/explain.ts";
import { planPool } from "../../src/plan/plan-pool.ts";
import { defaultOptions, type Pool } from "../../src/plan/pool.ts";
import { GiB, host, randomPool, vm } from "./pools.ts";

const explain = (pool: Pool, name: string, options = defaultOptions) =>
  explainVm(pool, options, planPool(pool, options), name);
const pool: Pool = {
  hosts: [host("a"), host("b"), host("c", { memoryBytes: 8 * GiB }), host("d", { state: "closed" })],
  vms: [
    vm("v", "a", { memoryBytes: 10 * GiB }),
    vm("w", "b", { movedBefore: 600 }),
    vm("x", "a", { bound: "it has a device of host a" }),
    vm("new", null),
  ],
  rules: [{ kind: "keepApart", name: "apart", hard: true, vms: ["v", "w"], of: "host" }],
};

test("a VM that stays because nobody would gain has the hosts that could not take it with their reasons", () => {
  const { sentence, to, candidates } = explain(pool, "v") ?? { candidates: [] };
  expect({ sentence, to }).toEqual({ sentence: "v stays: no other host can take it.", to: null });
  expect(Object.fromEntries(candidates.map(({ host: name, against }) => [name, against]))).toEqual({
    b: ["rule apart"],
    c: ["it has not enough memory"],
    d: ["it takes no VMs"],
  });
});

test("a VM that has just moved, one that is bound to its host, and one that is placed", () => {
  expect(explain(pool, "w")?.sentence).toBe("w stays: it moved 10 minutes ago.");
  expect(explain(pool, "x")?.sentence).toBe("x stays: it has a device of host a.");
  expect(explain(pool, "new")?.sentence).toMatch(/^new is placed on [ab]\.$/);
  expect(explain(pool, "nobody")).toBeNull();
});

test("a host that is emptied", () => {
  const leaving = { ...pool, hosts: [host("a", { state: "leaving" }), host("b")], rules: [] };
  expect(explain(leaving, "v")?.sentence).toBe("v moves to b: where it is it must not stay.");
});

test("a move for its gain says what it saves and costs; one that is not worth it says so too", () => {
  const hot = { ...host("a"), cores: 4 };
  const busy = [1, 2, 3].map((index) => vm(`v${String(index)}`, "a", { load: { mean: 1.8, deviation: 0 } }));
  const suffering = { hosts: [hot, host("b"), host("c")], vms: busy, rules: [] };
  const { moves } = planPool(suffering, defaultOptions);
  const moved = moves[0]?.vm ?? "";
  expect(explain(suffering, moved)?.sentence).toMatch(
    /^v\d moves to [bc]: it saves \d+ core-seconds and costs \d+/,
  );
  const stays = busy.find(({ name }) => moves.every((move) => move.vm !== name))?.name ?? "";
  expect(explain(suffering, stays)?.sentence).toMatch(/stays: /);
});

test("the reasons against a host that the plan chose are none", () => {
  fc.assert(
    fc.property(fc.nat(100_000), (seed) => {
      const some = randomPool(seed, { hosts: 5, vms: 10 });
      const options = { ...defaultOptions, goal: "even" as const };
      const plan = planPool(some, options);
      for (const { vm: name, to } of plan.moves) {
        const chosen = explainVm(some, options, plan, name)?.candidates.find((one) => one.host === to);
        const against = chosen?.against.filter((reason) => !reason.startsWith("rule")) ?? ["not listed"];
        expect(against).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});
