/** What hosts reported becomes the pool that is planned. */
import type { VmView } from "@godwit/contract";
import { expect, test } from "vitest";
import { defaultOptions, explainVm, planPool, poolFromReports, type KnownHost } from "../../src/index.ts";
import { supposed } from "../../src/plan/what-if.ts";
import { hostReport, vmView } from "../hosts.ts";

const known = (
  name: string,
  o: Parameters<typeof hostReport>[1] = {},
  more: Partial<KnownHost> = {},
): KnownHost => ({
  ...{ name, maintenance: "off", unreachableReason: null, baseline: null },
  ...hostReport(name, o),
  ...more,
});
const vms = [vmView(1, 1024), vmView(2, 512), vmView(3, 512, "stopped")];
const plan = (hosts: readonly KnownHost[], given: readonly VmView[] = vms, busy: readonly string[] = []) => {
  const pool = poolFromReports({ hosts, vms: given, busy: new Set(busy), rules: [], loads: new Map() });
  return { pool, plan: planPool(pool, defaultOptions) };
};

test("a VM counts with its memory and QEMU's; one that is stopped does not", () => {
  const { pool } = plan([known("a", { vms }), known("b")]);
  expect(pool.vms.map(({ name, memoryBytes }) => [name, memoryBytes / 2 ** 20])).toEqual([
    ["vm-1", 1184],
    ["vm-2", 672],
  ]);
  expect(pool.hosts.map(({ state }) => state)).toEqual(["open", "open"]);
});

test("a host that enters maintenance is emptied, the largest VM where there is room", () => {
  const hosts = [
    known("a", { vms }, { maintenance: "entering" }),
    known("b", { availableMib: 700 }),
    known("c", { availableMib: 1500 }),
  ];
  const { moves, stuck } = plan(hosts).plan;
  expect(moves.map(({ vm, to }) => [vm, to]).sort()).toEqual([
    ["vm-1", "c"],
    ["vm-2", "b"],
  ]);
  expect(stuck).toEqual([]);
});

test("a host that lacks the storage or the network, is silent or in maintenance is no target, and the VM's explanation says why", () => {
  const hosts = [
    known("a", { vms }),
    known("b", { portGroups: ["lab"] }),
    known("c", {}, { unreachableReason: "it is off" }),
    known("d", {}, { maintenance: "on" }),
    known("e", {}, { facts: null, load: null }),
  ];
  const now = poolFromReports({ hosts, vms, busy: new Set(), rules: [], loads: new Map() });
  const pool = supposed(now, { without: ["a"], add: [] });
  const made = planPool(pool, defaultOptions);
  expect(made).toMatchObject({ moves: [], stuck: ["vm-1", "vm-2"] });
  const explanation = explainVm(pool, defaultOptions, made, "vm-1");
  expect(explanation?.sentence).toBe("vm-1 must leave, and no host can take it.");
  const against = Object.fromEntries(explanation?.candidates.map((one) => [one.host, one.against]) ?? []);
  expect(against["b"]?.join()).toContain("has no port group office");
  expect(against["d"]).toContain("it takes no VMs");
});

test("a VM with a task, one that starts, one that its host does not report, and those of a silent host stay", () => {
  const here = [vmView(1, 64), vmView(2, 64, "starting"), vmView(3, 64)];
  const hosts = [known("a", { vms: here.slice(0, 2) }, { maintenance: "entering" }), known("b")];
  const { pool, plan: made } = plan(hosts, here, [here[0]?.id ?? ""]);
  expect(pool.vms.map(({ bound }) => bound)).toEqual([
    "it has a task under way",
    "it is starting",
    "its host a does not report it",
  ]);
  expect(made.moves).toEqual([]);
  const silent = plan([known("a", { vms: here }, { unreachableReason: "it is off" }), known("b")], here).pool;
  expect(silent.vms.map(({ bound }) => bound)).toEqual(Array(3).fill("its host does not answer: it is off"));
});
