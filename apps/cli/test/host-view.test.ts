/** What `godwit host show` prints: what a host is with what it does, and that something is not known. */
import { hostViewSchema } from "@godwit/contract";
import { expect, test } from "vitest";
import { hostText } from "../src/output/host-view.ts";

const view = hostViewSchema.parse({
  name: "a",
  agentUrl: "https://a:8444",
  state: "connected",
  maintenance: "off",
  joinedAt: "2026-11-25T00:00:00Z",
  seenAt: "2026-11-25T01:00:00Z",
  unreachableReason: null,
  pool: null,
  alarms: [],
  facts: {
    name: "a",
    agentVersion: "0.1.0",
    reportedAt: "2026-11-25T00:30:00Z",
    cpu: { vendor: "GenuineIntel", model: "Xeon", logicalCpus: 8 },
    memory: { totalBytes: 8 * 2 ** 30 },
    qemu: {
      ...{ binary: "qemu", version: "10.0.2", accelerator: "kvm", acceleratorReason: "KVM works." },
      ...{ machines: [], cpuModels: [], availableFeatures: [] },
    },
    migration: null,
    links: [],
    portGroups: [{ name: "office", bridge: "br0", uplink: "eth0", mtu: 1500 }],
    datastores: [
      { name: "fast", id: "33333333-3333-4333-8333-333333333333", path: "/fast", shared: true },
      { name: "slow", id: null, path: "/slow", shared: false },
    ],
    containment: {
      vmUids: { first: 2_010_000_000, count: 100_000_000 },
      vmUidsProblem: null,
      limitsProblem: null,
      cpuLimitsProblem: "systemd does not run there",
      appArmorProblem: "AppArmor is not enabled there",
    },
    failures: [],
  },
  load: {
    name: "a",
    reportedAt: "2026-11-25T01:00:00Z",
    memory: { availableBytes: 3 * 2 ** 30, pressurePercent: null },
    cpu: { usedCpus: 2.52, loadAverage: [2.5, 1, 0.25], pressurePercent: null },
    links: [{ name: "eth0", up: true, receivedBytesPerSecond: 125_000, sentBytesPerSecond: null }],
    portGroups: [{ name: "office", uplinkUp: false }],
    datastores: [
      { name: "fast", space: { totalBytes: 2 ** 40, freeBytes: 2 ** 39 }, reason: null, leases: null },
      { name: "slow", space: null, reason: "/slow: ENOENT", leases: null },
    ],
    vms: [
      {
        ...{ id: "22222222-2222-4222-8222-222222222222", name: "web-1", state: "running", pid: 7 },
        ...{
          accelerator: "kvm",
          startedAt: null,
          memoryMib: 512,
          usedCpus: 0.4,
          residentBytes: 256 * 2 ** 20,
          user: { uid: 2_010_000_007, sharedBecause: null },
        },
      },
    ],
    failures: [],
  },
});
const rows = (text: string): string[] => text.split("\n").map((line) => line.replace(/ {2,}/g, "  ").trim());

test("what a host is stands with what is used and free of it", () => {
  const lines = rows(hostText(view));
  expect(lines).toContain("memory  3.0 GiB free of 8.0 GiB");
  expect(lines).toContain("load  2.5 CPUs used, 2.50 1.00 0.25 tasks");
  expect(lines).toContain("datastore  fast (/fast), 512 GiB free, shared");
  expect(lines).toContain("datastore  slow (/slow), unavailable: /slow: ENOENT, host-local");
  expect(lines).toContain("port group  office (br0), uplink eth0, no carrier");
  expect(lines).toContain("link  eth0 up, 1.0 Mbit/s in, unknown out");
  expect(lines).toContain("vm  web-1 running, 0.4 CPUs, 256 MiB in RAM, uid 2010000007");
  expect(lines).toContain("vm users  uids 2010000000 to 2109999999");
  expect(lines).toContain("vm limits  memory and tasks");
  expect(lines).toContain("cpu limits  none: systemd does not run there");
  expect(lines).toContain("apparmor  does not confine QEMU: AppArmor is not enabled there");
});

test("what could not be read is reported, with the reason", () => {
  if (view.load === null) throw new Error("the view has a load");
  const failures = [{ part: "memory", reason: "/proc/meminfo has no MemAvailable" }];
  const load = { ...view.load, memory: null, cpu: null, portGroups: null, failures };
  const lines = rows(hostText({ ...view, load }));
  expect(lines).toContain("memory  unknown free of 8.0 GiB");
  expect(lines).toContain("load  unknown");
  expect(lines).toContain("port group  office (br0), uplink eth0, carrier unknown");
  expect(lines).toContain("not read  memory: /proc/meminfo has no MemAvailable");
  expect(rows(hostText({ ...view, load: null }))).toContain("memory  unknown free of 8.0 GiB");
});
