/** What the agents of a host can do that earlier ones could not. */
import { GodwitError, type HostFacts } from "@godwit/contract";

const abilities = {
  relocateDisks: "move disks between datastores",
  cloneVm: "copy VMs",
  cloneVolumes: "copy disks from and to LUN datastores",
  moveVolumes:
    "move disks from and to LUN datastores, convert them while they move, and export VMs with volumes",
  exportVm: "export VMs",
  importVm: "import VMs of other products and convert images",
  snapshots: "make snapshots of VMs",
  upload: "take uploaded files",
  suspend: "suspend VMs to disk",
  images: "add images to the library",
  devices: "change disks, NICs, memory and vCPUs of VMs",
  deviceModels: "give VMs disks and NICs that are not virtio",
  hostDevices: "give VMs devices of their host",
  guestMemory: "give VMs huge pages and NUMA nodes",
  cpuTopology: "give VMs a CPU topology",
  bootOrder: "give VMs a boot order",
  balloon: "give VMs a memory target",
  memoryHotPlug: "add memory to VMs that run",
  editVm: "make several changes of a VM at once",
  announce: "announce where a VM is",
  linkedDisks: "use linked disks",
  annotations: "keep tags and notes of VMs",
} as const;

/** What the host is. @throws AGENT_CANNOT */
export function ableTo(
  ability: keyof typeof abilities,
  hosts: readonly { name: string; facts: HostFacts | null }[],
  host: string,
): HostFacts {
  const facts = hosts.find(({ name }) => name === host)?.facts ?? null;
  if (facts?.abilities?.includes(ability) === true) return facts;
  const version = facts?.agentVersion ?? "unknown";
  throw GodwitError.of("AGENT_CANNOT", { host, version, what: abilities[ability] });
}

/** All that are known, for a VM may come to any of them: an earlier agent would refuse it. @throws AGENT_CANNOT of the first that is not */
export function allAbleTo(
  ability: keyof typeof abilities,
  hosts: readonly { name: string; facts: HostFacts | null }[],
): void {
  for (const { name, facts } of hosts) if (facts !== null) ableTo(ability, hosts, name);
}
