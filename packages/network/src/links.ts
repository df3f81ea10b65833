/** Links of this host: state, addresses, and the speed that may be counted on. */
import type { LinkFacts } from "@godwit/contract";
import { driverBitsPerSecond, listInterfaces, shapedBitsPerSecond, type Interface } from "./iproute.ts";

/** Every interface but loopback and VMs' taps. */
export async function linkFacts(): Promise<LinkFacts[]> {
  const [interfaces, shaped] = await Promise.all([listInterfaces(), shapedBitsPerSecond()]);
  const links = interfaces.filter(
    (found) => !found.flags.includes("LOOPBACK") && found.linkinfo?.info_data?.type !== "tap",
  );
  return await Promise.all(links.map((found) => factsOf(found, shaped)));
}

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
    up: isUp(found),
    addresses: found.addr_info.flatMap(({ local }) => local ?? []),
    bitsPerSecond: speeds.length === 0 ? null : Math.min(...speeds),
    mtu: found.mtu,
  };
}

/** Switched on, and with a carrier. */
export const isUp = (found: Interface): boolean =>
  found.flags.includes("UP") && found.flags.includes("LOWER_UP");
