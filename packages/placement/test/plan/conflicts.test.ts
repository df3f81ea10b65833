/** Rules that cannot all hold are found when they are made. */
import { expect, test } from "vitest";
import { ruleConflicts } from "../../src/plan/conflicts.ts";
import type { Rule } from "../../src/plan/pool.ts";
import { GiB, host, vm } from "./pools.ts";

const hosts = [
  host("a", { faultDomain: "r1" }),
  host("b", { faultDomain: "r1" }),
  host("c", { faultDomain: "r2" }),
];
const vms = ["v", "w", "x", "y"].map((name) => vm(name, "a", { memoryBytes: 20 * GiB }));
const together = (name: string, ...of: string[]): Rule => ({
  kind: "keepTogether",
  name,
  hard: true,
  vms: of,
});
const apart = (name: string, ...of: string[]): Rule => ({
  kind: "keepApart",
  name,
  hard: true,
  vms: of,
  of: "host",
});
const on = (name: string, vmName: string, ...of: string[]): Rule => ({
  ...{ kind: "vmHost", name, hard: true, vms: [vmName] },
  ...{ hosts: of, where: "on" },
});

test.each<[string, Rule[], string]>([
  [
    "together and apart, by way of a third",
    [together("one", "v", "w"), together("two", "w", "x"), apart("three", "v", "x")],
    "v and x must be on one host by one and two and apart by three.",
  ],
  [
    "together, on different hosts",
    [together("one", "v", "w"), on("two", "v", "a"), on("three", "w", "b")],
    "No host is left for v and w by one, two and three.",
  ],
  [
    "two rules without a common host",
    [on("one", "v", "a"), on("two", "v", "b")],
    "No host is left for v by one and two.",
  ],
  [
    "more apart than hosts",
    [apart("one", "v", "w", "x", "y")],
    "Rule one keeps 4 VMs apart, and 3 hosts may have them.",
  ],
  [
    "more racks than there are",
    [{ kind: "spread", name: "one", hard: true, vms: ["v", "w", "x"], faultDomains: 3 }],
    "Rule one asks for 3 fault domains; with 3 VMs and 2 domains in the pool 2 is the most.",
  ],
  [
    "more racks than VMs",
    [{ kind: "spread", name: "one", hard: true, vms: ["v"], faultDomains: 2 }],
    "Rule one asks for 2 fault domains; with 1 VMs and 2 domains in the pool 1 is the most.",
  ],
  [
    "a block that no host bears",
    [together("one", "v", "w", "x", "y")],
    "v, w, x and y must be on one host by one, and no host has memory for all of them.",
  ],
  ["a VM that is not there", [apart("one", "v", "z")], "Rule one names VMs that are not in the pool: z."],
  [
    "a host that is not there",
    [on("one", "v", "a", "d")],
    "Rule one names hosts that are not in the pool: d.",
  ],
])("%s", (_, rules, message) => {
  expect(ruleConflicts({ hosts, vms, rules }).map((conflict) => conflict.message)).toContain(message);
});

test("soft rules give way, and rules that can hold are none", () => {
  const rules = [together("one", "v", "w"), apart("two", "v", "x"), on("three", "v", "a", "b")];
  expect(ruleConflicts({ hosts, vms, rules })).toEqual([]);
  const soft = [together("one", "v", "w"), { ...apart("two", "v", "w"), hard: false }];
  expect(ruleConflicts({ hosts, vms, rules: soft })).toEqual([]);
});

test("a VM that is larger than every host", () => {
  const large = [vm("huge", "a", { memoryBytes: 100 * GiB })];
  expect(ruleConflicts({ hosts, vms: large, rules: [] })).toEqual([
    { rules: [], vms: ["huge"], message: "VM huge needs more memory than any host of the pool has." },
  ]);
});
