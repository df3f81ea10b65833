/** Rules that cannot hold are refused when they are made, with every reason. */
import { expect, test } from "vitest";
import { judgeRule, type PoolRule } from "../../src/index.ts";
import { hostReport, vmView } from "../hosts.ts";
import { ruleOf } from "../rules/rules.ts";

const vms = [1, 2, 3].map((index) => vmView(index, 1024, index === 3 ? "stopped" : "running"));
const [one, two, three] = vms as [(typeof vms)[0], (typeof vms)[0], (typeof vms)[0]];
const hosts = ["a", "b"].map((name) => ({ name, facts: hostReport(name).facts }));
const judge = (rule: PoolRule, ...others: PoolRule[]) => judgeRule({ rule, others, hosts, vms });

test("rules that can hold are made, VMs that are stopped and hosts that have not reported included", () => {
  const apart = ruleOf("apart", { kind: "apart", must: true, of: "host" }, [one, three]);
  expect(judge(apart)).toEqual([]);
  expect(judge(ruleOf("on", { kind: "on", must: true }, [one], ["a"]), apart)).toEqual([]);
  expect(judge(ruleOf("cpu", { kind: "cpu", reservedCores: 1 }, [one, two]))).toEqual([]);
  const silent = [{ name: "a", facts: null }];
  expect(
    judgeRule({ rule: ruleOf("r", { kind: "rack", rack: "r1" }, [], ["a"]), others: [], hosts: silent, vms }),
  ).toEqual([]);
});

test("what contradicts another rule says which", () => {
  const together = ruleOf("together", { kind: "together", must: true }, [one, two]);
  const apart = ruleOf("apart", { kind: "apart", must: true, of: "host" }, [one, two]);
  expect(judge(apart, together)).toEqual([
    "vm-1 and vm-2 must be on one host by together and apart by apart.",
  ]);
  // A soft one gives way.
  expect(judge({ ...apart, terms: { kind: "apart", must: false, of: "host" } }, together)).toEqual([]);
  expect(judge(ruleOf("all", { kind: "apart", must: true, of: "host" }, vms))[0]).toContain(
    "keeps 3 VMs apart, and 2 hosts may have them",
  );
  const on = ruleOf("on", { kind: "on", must: true }, [one], ["a"]);
  expect(judge(ruleOf("off", { kind: "off", must: true }, [one], ["a"]), on)).toEqual([
    "No host is left for vm-1 by on and off.",
  ]);
  expect(judge(ruleOf("off", { kind: "off", must: true }, [two], ["a"]), on, together)[0]).toContain(
    "No host is left for vm-1 and vm-2",
  );
  const r1 = ruleOf("r1", { kind: "rack", rack: "r1" }, [], ["a", "b"]);
  expect(judge(ruleOf("racks", { kind: "spread", must: true, racks: 2 }, [one, two]), r1)[0]).toContain(
    "asks for 2 fault domains",
  );
  expect(judge(ruleOf("r2", { kind: "rack", rack: "r2" }, [], ["a"]), r1)).toEqual([
    "Host a is in rack r1 already; a host is in one rack.",
  ]);
});

test("what cannot be by itself is told: too few names, too many CPUs, more VMs than hosts take", () => {
  const elsewhere = vmView(9, 1024);
  expect(judge(ruleOf("few", { kind: "together", must: true }, [one]))).toEqual([
    "It names 1 VMs and needs 2 at least.",
  ]);
  expect(judge(ruleOf("away", { kind: "together", must: true }, [one, elsewhere]))).toEqual([
    "VM vm-9 is not on a host of the pool.",
  ]);
  expect(judge(ruleOf("where", { kind: "on", must: true }, [one]))).toEqual(["It names no host."]);
  expect(judge(ruleOf("nothing", { kind: "cpu" }, [one]))).toHaveLength(1);
  expect(judge(ruleOf("much", { kind: "cpu", reservedCores: 2 }, [one]))).toEqual([
    "VM vm-1 has 1 vCPUs and cannot use 2 CPUs.",
  ]);
  const first = ruleOf("first", { kind: "cpu", shares: 10 }, [one]);
  expect(judge(ruleOf("again", { kind: "cpu", limitCores: 1 }, [one]), first)).toEqual([
    "The CPUs of VM vm-1 are set by rule first already.",
  ]);
  expect(judge(ruleOf("max", { kind: "maxVms", count: 1 }, [], ["a", "b"]))).toEqual([
    "The pool has 3 VMs, and its hosts would take 2.",
  ]);
});
