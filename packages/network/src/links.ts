/** Links of this host: addresses and the speed that may be counted on, and whether they carry now. */
import { isLinkLocal, type Carrier, type LinkFacts } from "@godwit/contract";
import { driverBitsPerSecond, listInterfaces, shapedBitsPerSecond, type Interface } from "./iproute.ts";
import { trafficCounters, type Traffic } from "./traffic.ts";

export interface LinkState {
  name: string;
  /** Switched on, and with a carrier. */
  up: boolean;
  /** Whether it leads out of this host now, and why not. */
  carrier: Carrier;
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
    carrier: carrierOf(found, interfaces),
    traffic: traffic.get(found.ifname) ?? null,
  }));
}

const isLink = (found: Interface): boolean =>
  !found.flags.includes("LOOPBACK") && found.linkinfo?.info_data?.type !== "tap";

/** The link that has this address; null when none has. @param address as `normalAddress` writes it */
export const linkWith = <Link extends Pick<LinkFacts, "name" | "addresses">>(
  links: readonly Link[],
  address: string,
): Link | null => {
  const [plain = address, zone] = address.split("%", 2);
  return (
    links.find(
      ({ name, addresses }) =>
        addresses.includes(plain) && (!isLinkLocal(plain) || zone === undefined || zone === name),
    ) ?? null
  );
};

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

/**
 * A bridge carries as soon as any port does, also with a VM's tap alone: what leads out of the host is what counts.
 * @param all interfaces of this network namespace
 */
export function carrierOf(found: Interface, all: readonly Interface[]): Carrier {
  if (!found.flags.includes("UP")) return "off";
  if (found.linkinfo?.info_kind !== "bridge") return isUp(found) ? "up" : "none";
  const ports = all.filter((port) => port.master === found.ifname && isLink(port));
  if (ports.length === 0) return "noPort";
  return ports.some(isUp) ? "up" : "none";
}

/** Switched on, and with a carrier. */
export const isUp = (found: Interface): boolean =>
  found.flags.includes("UP") && found.flags.includes("LOWER_UP");
