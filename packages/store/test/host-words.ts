/** What hosts tell a store in tests: questions about leases, and their two reports. */
import type { HostFacts, HostLoad, VmId } from "@godwit/contract";

let asked = 0;
/** A host's question about a lease; each has a larger number than the one before. */
export const question = (vmId: VmId, host: string) => ({ vmId, vm: "web-1", host, number: ++asked });

export const facts = (name: string): HostFacts => ({
  name,
  agentVersion: "0.1.0",
  reportedAt: new Date().toISOString(),
  cpu: { vendor: "GenuineIntel", model: "x", logicalCpus: 8, report: null, simulated: false },
  memory: { totalBytes: 2 ** 36 },
  qemu: {
    binary: "qemu-system-x86_64",
    version: "10.0.2",
    accelerator: "kvm",
    acceleratorReason: "",
    machines: [],
    cpuModels: [],
    availableFeatures: [],
  },
  migration: null,
  links: [],
  portGroups: [],
  datastores: [],
  failures: [],
});
export const load = (name: string, availableBytes: number): HostLoad => ({
  name,
  reportedAt: new Date().toISOString(),
  memory: { availableBytes, pressurePercent: null },
  cpu: null,
  links: null,
  portGroups: null,
  datastores: [],
  vms: [],
  failures: [],
});
