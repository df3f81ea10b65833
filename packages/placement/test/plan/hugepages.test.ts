/** VMs on huge pages: what they take is not the hosts' ordinary memory, and they go where the pages are. */
import type { VmView } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  admitStart,
  placeReported,
  planEvacuation,
  poolFromReports,
  type KnownHost,
} from "../../src/index.ts";
import { hostReport, vmView } from "../hosts.ts";

/** Most of its memory is set aside as huge pages. */
function host(name: string, freePages: number, o: { availableMib?: number; vms?: VmView[] } = {}): KnownHost {
  const { facts, load } = hostReport(name, { availableMib: 1024, ...o });
  return {
    ...{ name, maintenance: "off", unreachableReason: null, baseline: null },
    facts: {
      ...{ ...facts, abilities: ["guestMemory"] },
      memory: { ...facts.memory, hugepages: [{ size: "2M", pages: 4096 }], numaNodes: [0, 1] },
    },
    load: {
      ...load,
      memory: {
        ...{ availableBytes: 0, pressurePercent: null, ...load.memory },
        hugepages: [{ size: "2M", freePages }],
      },
    },
  };
}
const huge = (index: number, memoryMib: number, state: VmView["state"] = "running", on = "a"): VmView => {
  const vm = vmView(index, memoryMib, state);
  return { ...vm, host: on, config: { ...vm.config, hugepages: "2M" } };
};
const place = (hosts: readonly KnownHost[], vm: VmView) =>
  placeReported({ reports: { hosts, vms: [vm], rules: [], loads: new Map() }, vm });

test("one whose host has died is placed where its huge pages are free, however little ordinary memory is left there", () => {
  const dead = { ...host("a", 0), unreachableReason: "it is off" };
  const vm = huge(1, 4096, "lost");
  expect(place([dead, host("b", 2048)], vm).host).toBe("b");
  expect(place([dead, host("b", 2047), host("c", 2048)], vm).host).toBe("c");
  const { host: none, against } = place([dead, host("b", 2047)], vm);
  expect(none).toBeNull();
  expect(against.join()).toContain("huge pages");
});

test("a stopped one is not placed on its own host where its huge pages are taken, nor where a NUMA node is missing", () => {
  const vm = huge(1, 4096, "stopped");
  expect(place([host("a", 0), host("b", 2048)], vm).host).toBe("b");
  const plain = vmView(2, 64, "stopped");
  const bound = (hostNode: number) => ({
    ...plain,
    config: { ...plain.config, numa: [{ vcpus: 1, memoryMib: 64, hostNode }] },
  });
  const [a, b] = [host("a", 0), host("b", 0)];
  const small = { ...a, facts: a.facts && { ...a.facts, memory: { ...a.facts.memory, numaNodes: [0] } } };
  expect(place([small, b], bound(1)).host).toBe("b");
  expect(place([small, b], bound(2)).host).toBeNull();
});

test("in the plan of a pool it counts with what QEMU takes beside its guest", () => {
  const vms = [huge(1, 4096), vmView(2, 512)];
  const hosts = [host("a", 0, { vms }), host("b", 4096)];
  const pool = poolFromReports({ hosts, vms, busy: new Set(), rules: [], loads: new Map() });
  expect(pool.vms.map(({ memoryBytes }) => memoryBytes / 2 ** 20)).toEqual([160, 672]);
  // All that its guest has is sent all the same.
  expect(pool.vms[0]?.move?.seconds).toBeCloseTo((4096 * 2 ** 20 * 8) / 1e10);
});

test("admission control sees that another host could start it, and that none could", () => {
  const vms = [huge(1, 4096)];
  const admit = (pages: number) => {
    const b = host("b", 4096);
    const hugepages = [{ size: "2M" as const, pages }];
    const hosts = [
      host("a", 0, { vms }),
      { ...b, facts: b.facts && { ...b.facts, memory: { ...b.facts.memory, hugepages } } },
    ];
    const vm = vmView(2, 64, "stopped");
    return admitStart({
      reports: { hosts, vms, rules: [], loads: new Map() },
      vm,
      host: "a",
      mayChoose: false,
    });
  };
  expect(admit(2048)).toEqual({ host: "a" });
  // Bound to its host, as one that no other could run.
  expect(admit(2047)).toEqual({ host: "a" });
});

test("a host that is emptied sends no more of them to another than that has huge pages, nor counts them as its ordinary memory", () => {
  const vms = [huge(1, 4096), huge(2, 4096)];
  const report = ({ facts, load }: KnownHost) => (facts === null || load === null ? null : { facts, load });
  const a = report(host("a", 0, { vms }));
  if (a === null) throw new Error("it has reported");
  const started = (freePages: number) =>
    planEvacuation({
      ...{ host: "a", source: a, arriving: [], rules: [], hostOf: new Map<string, string>() },
      movers: vms.map((vm) => ({ vm, live: true, failedAt: [] })),
      destinations: [{ name: "b", takesVms: true, report: report(host("b", freePages)) }],
      limits: { free: Infinity, perTarget: Infinity },
    });
  expect(started(4096).begin.map(({ to }) => to)).toEqual(["b", "b"]);
  const { begin, stuck } = started(4095);
  expect(begin.map(({ mover }) => mover.vm.name)).toEqual(["vm-1"]);
  expect(stuck.map(({ findings }) => findings.map(({ code }) => code))).toEqual([["HUGEPAGES_SHORT"]]);
});
