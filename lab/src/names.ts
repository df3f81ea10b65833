/** Names and addresses of a lab's parts, and which labs there are. All addresses lie in namespaces of the lab's own. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

export const labsFolder = "/var/lib/godwit-lab";
/** Interface and namespace names are short; so is a lab's id. */
export const labIdPattern = /^[a-z0-9]{1,8}$/;

export const namespaceOf = (labId: string, part: string): string => `gw-${labId}-${part}`;
export const labFolder = (labId: string): string => join(labsFolder, labId);
/** Ids of all labs of this machine, also of incomplete ones. */
export async function listLabs(): Promise<string[]> {
  const names = await readdir(labsFolder).catch(() => [] as string[]);
  return names.sort();
}

export const networks = {
  management: { prefix: "10.87.1", bridge: "br-mgmt" },
  migration: { prefix: "10.87.2", bridge: "br-mig" },
  /** The VMs' network, the port group `office` on each host. */
  office: { prefix: "10.87.3", bridge: "br-office" },
} as const;
export type NetworkName = keyof typeof networks;
/** A second card of each host, without address or bridge, that leads to the VMs' network too: for virtual switches. */
export const spareCard = "spare";

export const portGroup = "office";
export const datastore = "shared";
/** Where a lab host finds its shared storage. */
export const datastorePath = "/var/lib/godwit/shared";

/** A host's own storage, in labs that have it. */
export const localDatastore = "local";
export const localDatastorePath = "/var/lib/godwit/local";

const addressIn = (network: NetworkName, last: number): string =>
  `${networks[network].prefix}.${String(last)}`;

export const serverAddress = addressIn("management", 250);
export const serverPort = 8443;
export const agentPort = 8444;
export const clientAddress = addressIn("office", 250);

/** @param index of the host, from 0 */
export const hostAddress = (network: "management" | "migration", index: number): string =>
  addressIn(network, 11 + index);
/** The other address of a host on the migration network. @param index of the host, from 0 */
export const migrationAddress6 = (index: number): string => `fd00:87:2::${String(11 + index)}`;
/** @param index of the VM, from 0 */
export const vmAddress = (index: number): string => addressIn("office", 11 + index);
