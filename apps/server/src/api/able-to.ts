/** What the agents of a host can do that earlier ones could not. */
import { GodwitError, type HostFacts } from "@godwit/contract";

const abilities = {
  relocateDisks: "move disks between datastores",
  cloneVm: "copy VMs",
  exportVm: "export VMs",
  importVm: "import VMs of other products and convert images",
  snapshots: "make snapshots of VMs",
  images: "add images to the library",
  deviceModels: "give VMs disks and NICs that are not virtio",
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
