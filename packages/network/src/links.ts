/** Links of this host: addresses and the speed that may be counted on, and whether they carry now. */
import { isLinkLocal, normalAddress, type BondLoad, type Carrier, type LinkFacts } from "@godwit/contract";
import { bondBitsPerSecond, readBond } from "./bonds.ts";
import { driverBitsPerSecond, interfacesNow, shapedBitsPerSecond, type Interface } from "./iproute.ts";
import { trafficCounters, type Traffic } from "./traffic.ts";

export interface LinkState {
  name: string;
  /** Switched on, and with a carrier. */
  up: boolean;
  /** Whether it leads out of this host now, and why not. */
  carrier: Carrier;
  /** Null where the kernel counts nothing for it. */
  traffic: Traffic | null;
  /** Null: it is none. */
  bond: BondLoad | null;
}

/** Every interface but loopback and VMs' taps. */
export async function linkFacts(): Promise<LinkFacts[]> {
  const interfaces = await interfacesNow();
  const shaped = await shapedBitsPerSecond(interfaces);
  return await Promise.all(
    interfaces.filter(isLink).map(async (found) => await factsOf(found, shaped, interfaces)),
  );
}

/** What the links of `linkFacts` do now; the counters run since the interface was made. */
export async function linkStates(): Promise<LinkState[]> {
  const [interfaces, traffic] = await Promise.all([interfacesNow(), trafficCounters()]);
  return await Promise.all(
    interfaces.filter(isLink).map(async (found) => ({
      name: found.ifname,
      up: leadsOut(found, interfaces),
      carrier: carrierOf(found, interfaces),
      traffic: traffic.get(found.ifname) ?? null,
      bond: isBond(found) ? await readBond(found.ifname) : null,
    })),
  );
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

async function factsOf(
  found: Interface,
  shaped: ReadonlyMap<string, number>,
  all: readonly Interface[],
): Promise<LinkFacts> {
  const own = isBond(found) ? await speedOfBond(found, all) : await driverBitsPerSecond(found);
  const speeds = [own, shaped.get(found.ifname) ?? null].filter((speed) => speed !== null);
  return {
    name: found.ifname,
    addresses: found.addr_info.flatMap(({ local }) => local ?? []),
    bitsPerSecond: speeds.length === 0 ? null : Math.min(...speeds),
    mtu: found.mtu,
  };
}

const isBond = ({ linkinfo }: Interface): boolean => linkinfo?.info_kind === "bond";

/** The driver states the sum of its ports, which one connection does not have. */
async function speedOfBond(found: Interface, all: readonly Interface[]): Promise<number | null> {
  const bond = await readBond(found.ifname);
  if (bond === null) return await driverBitsPerSecond(found);
  const ports = all.filter((port) => port.master === found.ifname);
  const speeds = ports.map(async (port) => [port.ifname, await driverBitsPerSecond(port)] as const);
  return bondBitsPerSecond(bond, new Map(await Promise.all(speeds)));
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

/** A VXLAN tunnel has no carrier of its own: that of the link with its address counts. @param all interfaces of this network namespace */
export function leadsOut(found: Interface, all: readonly Interface[]): boolean {
  if (!isUp(found) || found.linkinfo?.info_kind !== "vxlan") return isUp(found);
  const { local, local6 } = found.linkinfo.info_data ?? {};
  const address = normalAddress(local ?? local6 ?? "");
  return all.some((link) => isUp(link) && link.addr_info.some((own) => own.local === address));
}
