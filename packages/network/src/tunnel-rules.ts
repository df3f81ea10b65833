/**
 * Who may send VXLAN to this host, as rules of nftables: for each of the agent's segments its peers, and nobody else. Pure. Other
 * segments on the same port, as another program's, are not touched. The hook is that of input: fragments of IPv4 were put together
 * before it, those of IPv6 are only where conntrack is used on the host, and otherwise after it. So fragments of IPv6 in which UDP may
 * be are let in from peers only, to any address: the kernel receives VXLAN at each that the host has, and at groups.
 */
import { isIpv6, type VxlanDefinition } from "@godwit/contract";

export const tunnelTable = "inet godwit_vxlan";

/** Of one segment. */
export interface SenderLimit {
  vni: number;
  port: number;
  isOverIpv6: boolean;
  allowed: readonly string[];
}

type Tunnel = Pick<VxlanDefinition, "vni" | "port" | "local">;

/**
 * @param wanted tunnels that this host is to have
 * @param present those that it has: nobody may send into one that is to go, or to be made again
 */
export function limitsOf(wanted: readonly VxlanDefinition[], present: readonly Tunnel[]): SenderLimit[] {
  const isIn = (tunnel: Tunnel) =>
    wanted.some(
      ({ vni, port, local }) =>
        vni === tunnel.vni &&
        port === tunnel.port &&
        (local === null || isIpv6(local) === overIpv6(tunnel.local)),
    );
  return [
    ...wanted.map(({ vni, port, local, peers }) => ({
      ...{ vni, port, isOverIpv6: overIpv6(local) },
      allowed: peers.filter((peer) => local === null || isIpv6(peer) === isIpv6(local)),
    })),
    ...present
      .filter((tunnel) => !isIn(tunnel))
      .map(({ vni, port, local }) => ({ vni, port, isOverIpv6: overIpv6(local), allowed: [] })),
  ];
}

/** Put in its place whole each time, and in one transaction. */
export function tunnelRules(limits: readonly SenderLimit[]): string {
  return [
    `add table ${tunnelTable}`,
    `delete table ${tunnelTable}`,
    `add table ${tunnelTable}`,
    `add chain ${tunnelTable} input { type filter hook input priority -10; policy accept; }`,
    ...[...limits.flatMap(acceptRules), ...limits.map(dropRule), ...fragmentRules(limits)].map(
      (rule) => `add rule ${tunnelTable} input ${rule}`,
    ),
    "",
  ].join("\n");
}

/** One without an address may be over either. */
const overIpv6 = (local: string | null): boolean => local === null || isIpv6(local);

/** The VNI stands behind UDP's header and 32 bits of flags. */
const segment = ({ vni, port }: SenderLimit): string => `udp dport ${String(port)} @th,96,24 ${String(vni)}`;

function acceptRules(limit: SenderLimit): string[] {
  const ipv4 = limit.allowed.filter((address) => !isIpv6(address));
  const ipv6 = limit.allowed.filter(isIpv6);
  return [
    ...(ipv4.length === 0 ? [] : [`${segment(limit)} ip saddr { ${ipv4.join(", ")} } accept`]),
    ...(ipv6.length === 0 ? [] : [`${segment(limit)} ip6 saddr { ${ipv6.join(", ")} } accept`]),
  ];
}

const dropRule = (limit: SenderLimit): string => `${segment(limit)} counter drop`;

/**
 * What segment a fragment is of cannot be told: who is no peer of one of them sends none. Those of TCP, ESP and ICMPv6 are
 * no way in: the kernel takes what is inside from the first fragment's header. Any other may have UDP behind it.
 */
function fragmentRules(limits: readonly SenderLimit[]): string[] {
  const [first, ...others] = limits.filter(({ isOverIpv6 }) => isOverIpv6);
  if (first === undefined) return [];
  const senders = first.allowed.filter(
    (address) => isIpv6(address) && others.every(({ allowed }) => allowed.includes(address)),
  );
  const from = senders.length === 0 ? "" : `ip6 saddr != { ${senders.join(", ")} } `;
  return [`meta nfproto ipv6 frag nexthdr != { 6, 50, 58 } ${from}counter drop`];
}
