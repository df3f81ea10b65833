/** Hosts and a VM for the tests: each has everything, and a test says in what it differs. */
import { hostFactsSchema, hostLoadSchema, vmViewSchema, type VmView } from "@godwit/contract";
import type { HostReport } from "@godwit/requirements";

const reportedAt = "2026-11-25T00:00:00Z";
const link = { name: "eth1", addresses: ["10.0.0.1"], bitsPerSecond: 1e10, mtu: 9000 };
const datastoreId = "33333333-3333-4333-8333-333333333333";

/** @param availableMib null: the host could not read it */
export function hostReport(
  name: string,
  o: {
    availableMib?: number | null;
    datastores?: string[];
    unusable?: string[];
    portGroups?: string[];
    vms?: VmView[];
  } = {},
): HostReport {
  const {
    availableMib = 4096,
    datastores = ["shared"],
    unusable = [],
    portGroups = ["office"],
    vms = [],
  } = o;
  return {
    facts: hostFactsSchema.parse({
      name,
      agentVersion: "0.1.0",
      reportedAt,
      cpu: { vendor: "GenuineIntel", model: "x", logicalCpus: 8 },
      memory: { totalBytes: 2 ** 36 },
      qemu: {
        binary: "qemu-system-x86_64",
        version: "10.0.2",
        accelerator: "kvm",
        acceleratorReason: "",
        machines: ["pc-q35-7.2"],
        cpuModels: [{ name: "Nehalem-v1", unavailableFeatures: [] }],
        availableFeatures: [],
      },
      migration: { address: "10.0.0.1", link },
      links: [link],
      portGroups: portGroups.map((group) => ({ name: group, bridge: group, uplink: "eth0", mtu: 1500 })),
      datastores: datastores.map((store) => ({ name: store, id: datastoreId, path: "/srv", shared: true })),
      failures: [],
    }),
    load: hostLoadSchema.parse({
      name,
      reportedAt,
      memory:
        availableMib === null ? null : { availableBytes: availableMib * 2 ** 20, pressurePercent: null },
      cpu: null,
      links: null,
      portGroups: portGroups.map((group) => ({ name: group, uplinkUp: true })),
      datastores: datastores.map((store) => ({
        name: store,
        space: unusable.includes(store) ? null : { totalBytes: 2 ** 40, freeBytes: 2 ** 39 },
        reason: unusable.includes(store) ? "/srv: EIO" : null,
        leases: { state: "joined", reason: null, watchdog: true },
      })),
      vms: vms.map((vm) => ({
        id: vm.id,
        name: vm.name,
        state: vm.state,
        pid: 7,
        accelerator: "kvm",
        startedAt: null,
        memoryMib: vm.config.memoryMib,
        usedCpus: null,
        residentBytes: null,
      })),
      failures: [],
    }),
  };
}

export function vmView(index: number, memoryMib: number, state: VmView["state"] = "running"): VmView {
  const id = `22222222-2222-4222-8222-${String(index).padStart(12, "0")}`;
  const name = `vm-${String(index)}`;
  return vmViewSchema.parse({
    id,
    name,
    state,
    host: "a",
    seenAt: reportedAt,
    config: {
      version: 1,
      id,
      name,
      datastore: "shared",
      memoryMib,
      vcpus: 1,
      cpu: { model: "Nehalem-v1" },
      machine: "pc-q35-7.2",
      disks: [],
      nics: [{ portGroup: "office", mac: "52:54:00:00:00:01" }],
    },
  });
}
