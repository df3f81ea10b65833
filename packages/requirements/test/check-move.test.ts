/** Requirements: each broken alone is found alone, and all broken at once are found at once. */
import { hostFactsSchema, vmSchema, type HostFacts, type VmRuntime } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { checkMove, checkRelocation, mayMove, type MoveFacts } from "../src/index.ts";

const link = { name: "eth1", up: true, addresses: ["10.0.0.1"], bitsPerSecond: 1e10, mtu: 9000 };
/** The first entry, with some of it changed. */
const first = <T>(all: readonly T[], change: Partial<T>): T[] =>
  all.slice(0, 1).map((one) => ({ ...one, ...change }));

const host = (name: string, change: (facts: HostFacts) => void = () => undefined): HostFacts => {
  const facts = hostFactsSchema.parse({
    name,
    agentVersion: "0.1.0",
    reportedAt: new Date().toISOString(),
    cpu: { vendor: "GenuineIntel", model: "x", logicalCpus: 8, report: null },
    memory: { totalBytes: 64 * 2 ** 30, availableBytes: 32 * 2 ** 30 },
    qemu: {
      binary: "qemu-system-x86_64",
      version: "10.0.2",
      accelerator: "kvm",
      acceleratorReason: "",
      machines: ["pc-q35-7.2", "pc-q35-10.0"],
      cpuModels: [{ name: "Nehalem-v1", unavailableFeatures: [] }],
      availableFeatures: ["aes", "sse4.2"],
    },
    migration: { address: "10.0.0.1", link },
    links: [link],
    portGroups: [{ name: "office", bridge: "br0", uplink: "eth0", uplinkUp: true, mtu: 1500 }],
    datastores: [
      {
        name: "shared",
        id: "33333333-3333-4333-8333-333333333333",
        path: "/srv",
        shared: true,
        totalBytes: 1,
        freeBytes: 1,
      },
    ],
    vms: [],
  });
  change(facts);
  return facts;
};

const vm = vmSchema.parse({
  version: 1,
  id: "22222222-2222-4222-8222-222222222222",
  name: "web-1",
  datastore: "shared",
  memoryMib: 4096,
  vcpus: 2,
  cpu: { model: "Nehalem-v1", add: ["aes"] },
  machine: "pc-q35-7.2",
  disks: [{ name: "root", path: "web-1/root.qcow2", format: "qcow2" }],
  nics: [{ portGroup: "office", mac: "52:54:00:00:00:01" }],
});
const runtime: VmRuntime = {
  id: vm.id,
  name: "web-1",
  state: "running",
  pid: 1,
  accelerator: "kvm",
  startedAt: null,
  memoryMib: 4096,
};
const facts = (change: (facts: HostFacts) => void): MoveFacts => ({
  vm,
  runtime,
  source: host("a"),
  destination: { name: "b", takesVms: true, facts: host("b", change) },
});

const faults: Record<string, (facts: HostFacts) => void> = {
  DESTINATION_CPU_LACKS: (f) => (f.qemu.availableFeatures = []),
  DESTINATION_QEMU_OLDER: (f) => (f.qemu.machines = ["pc-q35-6.0"]),
  DESTINATION_ACCELERATOR_DIFFERS: (f) => (f.qemu.accelerator = "tcg"),
  DESTINATION_MEMORY_SHORT: (f) => (f.memory.availableBytes = 2 ** 30),
  DESTINATION_LACKS_DATASTORE: (f) => (f.datastores = []),
  DESTINATION_LACKS_NETWORK: (f) => (f.portGroups = []),
  MIGRATION_NETWORK_MISSING: (f) => (f.migration = null),
};

test("a VM may move between two hosts that are alike", () => {
  expect(checkMove(facts(() => undefined))).toEqual([]);
});

test("whatever is wrong is told, all of it at once, with host and remedy", () => {
  fc.assert(
    fc.property(fc.subarray(Object.keys(faults)), (codes) => {
      const findings = checkMove(
        facts((f) => {
          for (const code of codes) faults[code]?.(f);
        }),
      );
      expect(findings.map(({ code }) => code).sort()).toEqual([...codes].sort());
      expect(mayMove(findings)).toBe(codes.length === 0);
      for (const finding of findings) {
        expect(finding.message).toContain("b");
        expect(finding.remedy).not.toBe("");
      }
    }),
  );
});

test("each further requirement has its own finding", () => {
  const codes = (change: (facts: HostFacts) => void) => checkMove(facts(change)).map(({ code }) => code);
  expect(
    codes(
      (f) => (f.datastores = first(f.datastores, { id: "44444444-4444-4444-8444-444444444444" as never })),
    ),
  ).toEqual(["DATASTORE_NOT_THE_SAME"]);
  expect(codes((f) => (f.qemu.cpuModels = []))).toEqual(["DESTINATION_CPU_UNKNOWN"]);
  expect(codes((f) => (f.portGroups = first(f.portGroups, { uplink: null, uplinkUp: false })))).toEqual([
    "NETWORK_INTERNAL",
  ]);
  expect(codes((f) => (f.portGroups = first(f.portGroups, { uplinkUp: false })))).toEqual([
    "NETWORK_LINK_DOWN",
  ]);
  expect(
    codes((f) => (f.migration = { address: "10.0.0.1", link: { ...link, bitsPerSecond: 1e8 } })),
  ).toEqual(["MIGRATION_NETWORK_SLOW"]);
});

test("a host that does not answer is the only finding, and a stopped VM needs no memory there", () => {
  const silent = {
    ...facts(() => undefined),
    destination: { name: "b", takesVms: true, facts: null, reason: "it is off" },
  };
  expect(checkMove(silent)).toMatchObject([{ code: "DESTINATION_UNREACHABLE", host: "b" }]);
  expect(checkRelocation(facts((f) => (f.memory.availableBytes = 0)))).toEqual([]);
});

test("a host in maintenance takes no VM, running or not, and whether it answers or not", () => {
  const there = { ...facts(() => undefined).destination, takesVms: false };
  const closed = { ...facts(() => undefined), destination: there };
  expect(checkMove(closed).map(({ code }) => code)).toEqual(["DESTINATION_IN_MAINTENANCE"]);
  expect(checkRelocation(closed).map(({ code }) => code)).toEqual(["DESTINATION_IN_MAINTENANCE"]);
  const silent = { ...closed, destination: { ...there, facts: null, reason: "it is off" } };
  expect(checkMove(silent).map(({ code }) => code)).toEqual([
    "DESTINATION_UNREACHABLE",
    "DESTINATION_IN_MAINTENANCE",
  ]);
});
