/** Links of this host: addresses and the speed that may be counted on, and whether they carry now. */
import type { LinkFacts } from "@godwit/contract";
import { driverBitsPerSecond, listInterfaces, shapedBitsPerSecond, type Interface } from "./iproute.ts";
import { trafficCounters, type Traffic } from "./traffic.ts";

export interface LinkState {
  name: string;
  /** Switched on, and with a carrier. */
  up: boolean;
  /** Null where the kernel counts nothing for it. */
  traffic: Traffic | null;
}

/** Every interface but loopback and VMs' taps. */
export async function linkFacts(): Promise<LinkFacts[]> {
  const [interfaces, shaped] = await Promise.all([listInterfaces(), shapedBitsPerSecond()]);
  return await Promise.all(interfaces.filter(isLink).map((found) => factsOf(found, shaped)));
}

/** What the links of `linkFacts` do now; the counters run since the interface was made. */
export async function linkStates(): Promise<LinkState[]> {
  const [interfaces, traffic] = await Promise.all([listInterfaces(), trafficCounters()]);
  return interfaces.filter(isLink).map((found) => ({
    name: found.ifname,
    up: isUp(found),
    traffic: traffic.get(found.ifname) ?? null,
  }));
}

const isLink = (found: Interface): boolean =>
  !found.flags.includes("LOOPBACK") && found.linkinfo?.info_data?.type !== "tap";

/** The link that has this address; null when none has. */
export async function linkOfAddress(address: string): Promise<LinkFacts | null> {
  const [interfaces, shaped] = await Promise.all([listInterfaces(), shapedBitsPerSecond()]);
  const found = interfaces.find((one) => one.addr_info.some(({ local }) => local === address));
  return found === undefined ? null : await factsOf(found, shaped);
}

async function factsOf(found: Interface, shaped: ReadonlyMap<string, number>): Promise<LinkFacts> {
  const speeds = [await driverBitsPerSecond(found), shaped.get(found.ifname) ?? null].filter(
    (speed) => speed !== null,
  );
  return {
    name: found.ifname,
    addresses: found.addr_info.flatMap(({ local }) => local ?? []),
    bitsPerSecond: speeds.length === 0 ? null : Math.min(...speeds),
    mtu: found.mtu,
  };
}

/** Switched on, and with a carrier. */
export const isUp = (found: Interface): boolean =>
  found.flags.includes("UP") && found.flags.includes("LOWER_UP");
