/** The underlay of a switch with VXLAN: which address each host sends from, to whom, and what fits into it. Pure. */
import { BlockList, isIP } from "node:net";
import {
  defaultMtu,
  GodwitError,
  isIpv6,
  isLinkLocal,
  vxlanOverhead,
  type HostFacts,
  type Underlay,
  type VxlanDefinition,
  type VxlanSettings,
} from "@godwit/contract";

/** What each host told last, by its name; null: nothing yet. */
export type FactsOfHosts = ReadonlyMap<string, HostFacts | null>;

/** @param members hosts that have the switch */
export function vxlanOn(
  settings: VxlanSettings,
  host: string,
  members: readonly string[],
  facts: FactsOfHosts,
): VxlanDefinition {
  const addressOf = (name: string) => underlayAddress(settings.underlay, facts.get(name) ?? null);
  const local = addressOf(host);
  const peers = members.flatMap((name) => (name === host ? [] : (addressOf(name) ?? [])));
  return { ...settings, local, peers: [...new Set(peers)].filter((peer) => peer !== local).sort() };
}

/** @returns null: it has none there */
export function underlayAddress(underlay: Underlay, facts: HostFacts | null): string | null {
  if (facts === null) return null;
  if (underlay === "migration") {
    const address = facts.migrationSettings?.address ?? facts.migration?.address ?? null;
    return address === null || isIP(address) === 0 || isLinkLocal(address) ? null : address;
  }
  const [network = "", bits] = underlay.split("/", 2);
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family(network));
  const addresses = facts.links.flatMap((link) => link.addresses);
  return addresses.filter((one) => isIP(one) !== 0 && list.check(one, family(one))).sort()[0] ?? null;
}

const family = (address: string) => (isIpv6(address) ? "ipv6" : "ipv4");

/**
 * The MTU of a switch within its hosts' underlays.
 * @param wanted undefined: the usual one, or less
 * @throws SWITCH_MTU_ABOVE_UNDERLAY
 */
export function mtuWithin(
  { name, mtu: wanted }: { name: string; mtu: number | undefined },
  underlay: Underlay,
  members: readonly string[],
  facts: FactsOfHosts,
): number {
  let mtu = wanted ?? defaultMtu - vxlanOverhead(underlay === "migration" ? "" : underlay);
  for (const host of members) {
    const of = facts.get(host) ?? null;
    const address = underlayAddress(underlay, of);
    const link = of?.links.find(({ addresses }) => address !== null && addresses.includes(address));
    if (address === null || link === undefined) continue; // its agent says so
    const most = link.mtu - vxlanOverhead(address);
    if (most >= mtu) continue;
    if (wanted !== undefined) {
      const details = { switch: name, mtu, host, underlay: address, underlayMtu: link.mtu, most };
      throw GodwitError.of("SWITCH_MTU_ABOVE_UNDERLAY", details);
    }
    mtu = most;
  }
  return mtu;
}
