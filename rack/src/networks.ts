/**
 * The rack's networks: a namespace with a switch for each. The servers' QEMUs run in it and make their taps there, so
 * that no packet leaves it and everything is gone with it.
 */
import { identifyProcess, run, type ProcessIdentity } from "@godwit/system";

export const networks = {
  /** To the server, and between agents; storage too. */
  management: { device: "eth0", prefix: "10.97.1" },
  migration: { device: "eth1", prefix: "10.97.2" },
  /** The VMs': servers have a bridge whose uplink leads here. */
  office: { device: "eth2", prefix: "10.97.3" },
  /** The VMs' too: servers have a card on it without an address, for a switch of Godwit's that sends with tags. */
  trunk: { device: "eth3", prefix: "10.97.4" },
} as const;
export type Network = keyof typeof networks;
export const networkNames = Object.keys(networks) as Network[];

/** Of whoever asks VMs and servers from outside: tests, a client. */
const outside = 250;

export const namespaceOf = (id: string): string => `godwit-rack-${id}`;

/** @param number of the server: the last part of its addresses */
export const addressOf = (network: Network, number: number): string =>
  `${networks[network].prefix}.${String(number)}`;

/** This machine's, in the rack's namespace. */
export const outsideAddress = (network: Network): string => addressOf(network, outside);

/** The tap of a server on a network, within the kernel's 15 characters. */
export const tapOf = (network: Network, number: number): string => `${network.slice(0, 3)}${String(number)}`;

export const macOf = (network: Network, number: number): string =>
  `52:54:00:97:0${String(networkNames.indexOf(network) + 1)}:${number.toString(16).padStart(2, "0")}`;

export async function makeNetworks(id: string): Promise<void> {
  await ip("netns", "add", namespaceOf(id));
  await ip("-n", namespaceOf(id), "link", "set", "lo", "up");
  for (const network of networkNames) {
    await inside(id, "link", "add", network, "type", "bridge", "forward_delay", "0");
    await inside(id, "link", "set", network, "up");
    await inside(id, "addr", "add", `${outsideAddress(network)}/24`, "dev", network);
  }
}

/** Plugs the taps of a server that has just started into the switches. */
export async function plugIn(id: string, number: number): Promise<void> {
  for (const network of networkNames) {
    await inside(id, "link", "set", tapOf(network, number), "master", network, "up");
  }
}

/**
 * Drops or lets pass what a server sends to a network: a cable of which one wire is broken. What is sent to it arrives.
 */
export async function setSending(id: string, network: Network, number: number, open: boolean): Promise<void> {
  const tap = tapOf(network, number);
  await nft(
    id,
    open
      ? `delete table bridge cut-${tap}\n`
      : `table bridge cut-${tap} { chain in { type filter hook prerouting priority 0; iifname "${tap}" drop; }; }\n`,
  );
}

/** What a server has sent, as its taps have counted. */
export async function sentPackets(id: string, number: number): Promise<number> {
  const counts = networkNames.map(async (network) => {
    const json = await inside(id, "-json", "-statistics", "link", "show", tapOf(network, number));
    const [link] = JSON.parse(json) as { stats64: { rx: { packets: number } } }[];
    if (link === undefined) throw new TypeError("ip shows the link that it was asked for");
    return link.stats64.rx.packets;
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

export async function networksExist(id: string): Promise<boolean> {
  return (await ip("netns", "list")).split("\n").some((line) => line.split(" ")[0] === namespaceOf(id));
}

export async function removeNetworks(id: string): Promise<void> {
  if (await networksExist(id)) await ip("netns", "del", namespaceOf(id));
}

const inside = async (id: string, ...args: string[]): Promise<string> =>
  await ip("-n", namespaceOf(id), ...args);

async function ip(...args: string[]): Promise<string> {
  return (await run("ip", args, { what: "arranging the rack's networks" })).stdout;
}

async function nft(id: string, rules: string): Promise<void> {
  const argv = ["netns", "exec", namespaceOf(id), "nft", "-f", "-"];
  await run("ip", argv, { what: "cutting a wire of the rack", input: rules });
}

/** Every process that runs in the rack's namespace. */
export async function processesIn(id: string): Promise<ProcessIdentity[]> {
  const pids = (await ip("netns", "pids", namespaceOf(id))).split("\n").filter(Boolean).map(Number);
  const found = await Promise.all(pids.map(async (pid) => await identifyProcess(pid)));
  return found.filter((identity) => identity !== null);
}
