/** What a simulated host reports: the sizes of a real one's, with a real CPU's table; figures that change as a busy host's do. */
import { readFile } from "node:fs/promises";
import {
  hostFactsSchema,
  hostLoadSchema,
  vmSchema,
  type HostFacts,
  type HostLoad,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { readCpuSource, reportOf } from "@godwit/cpu";
import { version } from "@godwit/system";

const dump = new URL(
  "../../packages/cpu/test/data/instlatx64/AuthenticAMD0870F10_K17_Matisse_CPUID2.txt",
  import.meta.url,
);
const gib = 2 ** 30;
const datastoreId = "5e000000-0000-4000-8000-000000000001";

export const hostName = (host: number): string => `sim-${String(host)}`;
export const vmName = (host: number, vm: number): string => `vm-${String(host)}-${String(vm)}`;
export const vmId = (host: number, vm: number): VmId => {
  const digits = (host * 1000 + vm).toString(16).padStart(12, "0");
  return `5e000000-0000-4000-9000-${digits}` as VmId;
};

/** QEMU's lists are as long as those of QEMU 10, which knows some hundred CPU models. */
export async function factsOfAll(): Promise<Omit<HostFacts, "name">> {
  const report = reportOf(readCpuSource(await readFile(dump, "utf8"), "cpu"));
  const features = Array.from({ length: 220 }, (_, index) => `feature-${String(index)}`);
  const facts = {
    name: "sim",
    agentVersion: version,
    reportedAt: new Date().toISOString(),
    cpu: { vendor: "AuthenticAMD", model: "simulated", logicalCpus: 64, report, simulated: true },
    memory: { totalBytes: 512 * gib },
    qemu: {
      binary: "/usr/bin/qemu-system-x86_64",
      version: "10.0.3",
      accelerator: "kvm" as const,
      acceleratorReason: "This agent is simulated by bench/scale.ts.",
      machines: Array.from({ length: 60 }, (_, index) => `pc-q35-${String(index / 10)}`),
      cpuModels: Array.from({ length: 120 }, (_, model) => ({
        name: `model-${String(model)}`,
        unavailableFeatures: features.slice(model, model + (model % 30)),
      })),
      availableFeatures: features,
    },
    migration: null,
    links: Array.from({ length: 4 }, (_, link) => ({
      name: `eth${String(link)}`,
      addresses: [`10.${String(link)}.0.1`],
      bitsPerSecond: 25e9,
      mtu: 9000,
    })),
    portGroups: [{ name: "office", bridge: "br0", uplink: "eth0", mtu: 1500 }],
    datastores: [{ name: "shared", id: datastoreId, path: "/srv/shared", shared: true }],
    failures: [],
  };
  const { name: _, ...rest } = hostFactsSchema.parse(facts);
  return rest;
}

/** Every figure is another each time, as those of busy VMs are. */
export function loadOf(host: number, vms: number): HostLoad {
  const some = Math.random();
  return hostLoadSchema.parse({
    name: hostName(host),
    reportedAt: new Date().toISOString(),
    memory: { availableBytes: Math.round(some * 100 * gib), pressurePercent: 0 },
    cpu: { usedCpus: some * 64, loadAverage: [some, some, some], pressurePercent: some },
    links: Array.from({ length: 4 }, (_, link) => ({
      name: `eth${String(link)}`,
      up: true,
      receivedBytesPerSecond: Math.random() * 1e8,
      sentBytesPerSecond: Math.random() * 1e8,
    })),
    portGroups: [{ name: "office", uplinkUp: true }],
    datastores: [
      {
        name: "shared",
        space: { totalBytes: 1000 * gib, freeBytes: Math.round(some * 1000 * gib) },
        reason: null,
        leases: { state: "joined", reason: null, watchdog: true },
      },
    ],
    vms: Array.from({ length: vms }, (_, vm) => ({
      id: vmId(host, vm),
      name: vmName(host, vm),
      state: "running",
      pid: 1000 + vm,
      accelerator: "kvm",
      startedAt: "2026-01-01T00:00:00.000Z",
      memoryMib: 4096,
      usedCpus: Math.random() * 2,
      residentBytes: Math.round((3 + Math.random()) * gib),
    })),
    failures: [],
  });
}

/** @param features of the hosts' CPU, which the VM sees all */
export const configOf = (host: number, vm: number, features: readonly string[]): Vm =>
  vmSchema.parse({
    version: 1,
    id: vmId(host, vm),
    name: vmName(host, vm),
    datastore: "shared",
    memoryMib: 4096,
    vcpus: 2,
    cpu: { model: "host", features: [...features] },
    machine: "pc-q35-7.2",
    disks: [],
    nics: [],
  });
