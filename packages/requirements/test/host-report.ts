/** A host that has everything, as both its reports tell it; a test takes away what it is about. */
import { hostFactsSchema, hostLoadSchema } from "@godwit/contract";
import type { HostReport } from "../src/index.ts";

export const link = { name: "eth1", addresses: ["10.0.0.1"], bitsPerSecond: 1e10, mtu: 9000 };

export function hostReport(name: string, change: (report: HostReport) => void = () => undefined): HostReport {
  const reportedAt = "2026-11-25T00:00:00Z";
  const facts = hostFactsSchema.parse({
    name,
    agentVersion: "0.1.0",
    reportedAt,
    cpu: { vendor: "GenuineIntel", model: "x", logicalCpus: 8, report: null },
    memory: { totalBytes: 64 * 2 ** 30 },
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
    portGroups: [{ name: "office", bridge: "br0", uplink: "eth0", mtu: 1500 }],
    datastores: [{ name: "shared", id: "33333333-3333-4333-8333-333333333333", path: "/srv", shared: true }],
    failures: [],
  });
  const load = hostLoadSchema.parse({
    name,
    reportedAt,
    memory: { availableBytes: 32 * 2 ** 30, pressurePercent: 0 },
    cpu: { usedCpus: 1.5, loadAverage: [1, 1, 1], pressurePercent: 0 },
    links: [{ name: "eth1", up: true, receivedBytesPerSecond: 0, sentBytesPerSecond: 0 }],
    portGroups: [{ name: "office", uplinkUp: true }],
    datastores: [
      {
        name: "shared",
        space: { totalBytes: 2 ** 40, freeBytes: 2 ** 39 },
        reason: null,
        leases: { state: "joined", reason: null, watchdog: true },
      },
    ],
    vms: [],
    failures: [],
  });
  const report = { facts, load };
  change(report);
  return report;
}
