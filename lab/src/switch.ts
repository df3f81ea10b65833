/**
 * The lab's network: a namespace with one bridge for each network, and namespaces of hosts, server and
 * client that are connected to them. Nothing is made outside of the lab's own namespaces.
 */
import { run } from "@godwit/system";
import {
  clientAddress,
  hostAddress,
  namespaceOf,
  networks,
  serverAddress,
  spareCard,
  type NetworkName,
} from "./names.ts";

const ip = async (...args: string[]): Promise<string> =>
  (await run("ip", args, { what: "arranging the lab's network" })).stdout;

export async function makeSwitch(labId: string): Promise<void> {
  const namespace = await makeNamespace(labId, "net");
  for (const { bridge } of Object.values(networks)) {
    await ip("-n", namespace, "link", "add", bridge, "type", "bridge", "forward_delay", "0");
    await ip("-n", namespace, "link", "set", bridge, "up");
  }
}

/** A host has a management and a migration address, and a bridge of its own whose uplink leads to the VMs' network. */
export async function makeHost(
  labId: string,
  host: string,
  index: number,
  linkBitsPerSecond: number | null,
): Promise<void> {
  const namespace = await makeNamespace(labId, host);
  await connect(labId, host, "management", { address: hostAddress("management", index) });
  await connect(labId, host, "migration", { address: hostAddress("migration", index) });
  const { bridge } = networks.office;
  await ip("-n", namespace, "link", "add", bridge, "type", "bridge", "forward_delay", "0");
  await ip("-n", namespace, "link", "set", bridge, "addrgenmode", "none");
  await ip("-n", namespace, "link", "set", bridge, "up");
  await connect(labId, host, "office", { bridge });
  await connect(labId, host, "office", {}, spareCard);
  if (linkBitsPerSecond !== null) await shape(labId, host, linkBitsPerSecond);
}

export async function makeServer(labId: string): Promise<void> {
  await makeNamespace(labId, "server");
  await connect(labId, "server", "management", { address: serverAddress });
}

export async function makeClient(labId: string): Promise<void> {
  await makeNamespace(labId, "client");
  await connect(labId, "client", "office", { address: clientAddress });
}

export async function listNamespaces(labId: string): Promise<string[]> {
  const prefix = namespaceOf(labId, "");
  const text = await ip("netns", "list");
  return text
    .split("\n")
    .map((line) => line.split(" ")[0] ?? "")
    .filter((name) => name.startsWith(prefix));
}

/** Every process in a namespace. */
export async function processesIn(namespace: string): Promise<number[]> {
  const text = await ip("netns", "pids", namespace);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
}

export async function removeNamespace(namespace: string): Promise<void> {
  await ip("netns", "del", namespace);
}

/** Taps are the kernel's: they outlive who made them, but no reboot. */
export async function removeTaps(namespace: string): Promise<void> {
  for (const line of (await ip("-n", namespace, "-o", "link", "show", "type", "tun")).split("\n")) {
    const name = /^\d+: ([^:@]+)/.exec(line)?.[1];
    if (name !== undefined) await ip("-n", namespace, "link", "del", name);
  }
}

/** An IPv6 address with its prefix, ready at once; one that is there stays. */
export async function addAddress(namespace: string, device: string, address: string): Promise<void> {
  await ip("-n", namespace, "-6", "address", "replace", address, "dev", device, "nodad");
}

/** Sets a host's link to a network, or that of a card, up or down. */
export async function setLink(labId: string, host: string, card: CardName, up: boolean): Promise<void> {
  const port = portOf(host, card);
  await ip("-n", namespaceOf(labId, "net"), "link", "set", port, up ? "up" : "down");
}

/** One direction between two hosts. */
export interface Path {
  network: "management" | "migration";
  from: { host: string };
  /** `index`: of the host, from 0. */
  to: { index: number };
}

/**
 * Cuts or restores one direction between two hosts: what the one sends to the other goes to a hardware address
 * that nobody has. It is lost on the link; neither end is notified, and all others are still reached.
 */
export async function setPath(labId: string, { network, from, to }: Path, open: boolean): Promise<void> {
  const neighbour = [hostAddress(network, to.index), "dev", network];
  const namespace = namespaceOf(labId, from.host);
  if (open) await ip("-n", namespace, "neigh", "del", ...neighbour);
  else await ip("-n", namespace, "neigh", "replace", ...neighbour, "lladdr", nobody, "nud", "permanent");
}

/** Locally administered. */
const nobody = "02:00:00:00:00:00";

/** Shapes a host's migration link in both directions. */
async function shape(labId: string, host: string, bitsPerSecond: number): Promise<void> {
  const rate = `${String(Math.floor(bitsPerSecond))}bit`;
  // A bucket of 2 ms of the rate, at least one large packet.
  const burst = String(Math.max(65_536, Math.floor(bitsPerSecond / 8 / 500)));
  const tbf = ["root", "tbf", "rate", rate, "burst", burst, "latency", "20ms"];
  const words = { what: `shaping the migration link of ${host}` };
  await run("tc", ["-n", namespaceOf(labId, host), "qdisc", "add", "dev", "migration", ...tbf], words);
  const port = portOf(host, "migration");
  await run("tc", ["-n", namespaceOf(labId, "net"), "qdisc", "add", "dev", port, ...tbf], words);
}

async function makeNamespace(labId: string, part: string): Promise<string> {
  const namespace = namespaceOf(labId, part);
  await ip("netns", "add", namespace);
  await ip("-n", namespace, "link", "set", "lo", "up");
  return namespace;
}

/** A link from a part of the lab to a network's bridge; in the part the interface has the network's name, or another. */
async function connect(
  labId: string,
  part: string,
  network: NetworkName,
  end: { address?: string; bridge?: string },
  card: CardName = network,
): Promise<void> {
  const [namespace, hub] = [namespaceOf(labId, part), namespaceOf(labId, "net")];
  const port = portOf(part, card);
  await ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", card, "netns", namespace);
  await ip("-n", hub, "link", "set", port, "master", networks[network].bridge, "up");
  const { address, bridge } = end;
  if (address !== undefined) await ip("-n", namespace, "address", "add", `${address}/24`, "dev", card);
  if (bridge !== undefined) await ip("-n", namespace, "link", "set", card, "master", bridge);
  await ip("-n", namespace, "link", "set", card, "up");
}

/** The port's name at the switch, within the kernel's 15 characters. */
const portOf = (part: string, card: CardName): string => `${part.slice(0, 8)}-${card.slice(0, 3)}`;
type CardName = NetworkName | typeof spareCard;
