/** What is said of pools with which a planner can do little; and hosts that are supposed. */
import { expect, test } from "vitest";
import { planNotes } from "../../src/plan/plan-notes.ts";
import { planPool } from "../../src/plan/plan-pool.ts";
import { defaultOptions, type Pool } from "../../src/plan/pool.ts";
import { withTwins } from "../../src/plan/what-if.ts";
import { GiB, host, vm } from "./pools.ts";

const pool = (change: Partial<Pool>): Pool => ({
  hosts: [host("a"), host("b")],
  vms: [],
  rules: [],
  ...change,
});

test.each<[string, Pool, RegExp]>([
  ["no host", pool({ hosts: [] }), /^Pool east has no host\. Add one: godwit pool add-host east HOST$/],
  ["one host", pool({ hosts: [host("a")], vms: [vm("v", "a")] }), /has one host: its VMs have nowhere to go/],
  [
    "all in maintenance",
    pool({ hosts: [host("a", { state: "leaving" }), host("b", { state: "closed" })], vms: [vm("v", "a")] }),
    /^No host of pool east takes VMs/,
  ],
  [
    "a VM larger than any host",
    pool({ vms: [vm("big", "a", { memoryBytes: 100 * GiB })] }),
    /^VM big needs 100\.0 GiB of memory, and no host of the pool that takes VMs has more than 64\.0 GiB/,
  ],
  [
    "no load data",
    pool({ vms: [vm("v", "a", { unmeasured: "its load is not known yet" })] }),
    /^The load of no VM of pool east is known yet/,
  ],
  [
    "rules that cannot hold",
    pool({
      vms: [vm("v", "a"), vm("w", "b")],
      rules: [
        { kind: "keepTogether", name: "beside", hard: true, vms: ["v", "w"] },
        { kind: "keepApart", name: "apart", hard: true, vms: ["v", "w"], of: "host" },
      ],
    }),
    /^v and w must be on one host by beside and apart by apart\.$/,
  ],
])("%s", (_, one, sentence) => {
  expect(planNotes("east", one).filter((note) => sentence.test(note))).toHaveLength(1);
});

test("nothing is said of a pool with which nothing is wrong", () => {
  expect(planNotes("east", pool({ vms: [vm("v", "a"), vm("w", "b")] }))).toEqual([]);
});

test("one more host that is like another takes load, and is excluded for the same reasons", () => {
  const busy = { vcpus: 8, load: { mean: 7, deviation: 0.1 } };
  const vms = ["v", "w", "x"].map((name) => vm(name, "a", busy));
  const excluded = new Map([["b", "it has another CPU"]]);
  const alone = pool({ vms: vms.map((one) => ({ ...one, excluded })) });
  expect(planPool(alone, defaultOptions).moves).toEqual([]);
  expect(planPool(withTwins(alone, ["b"]), defaultOptions).moves).toEqual([]);
  const { moves } = planPool(withTwins(alone, ["a", "a"]), defaultOptions);
  expect(moves.length).toBeGreaterThan(0);
  for (const { to } of moves) expect(["a-2", "a-3"]).toContain(to);
});
