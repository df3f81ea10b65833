/**
 * What has to be done so that this host has the VXLAN tunnels of its switches. Pure. A tunnel is an interface that carries its
 * switch's name as its alias; no other is changed or removed. A frame for an address that was not learned yet, and a broadcast,
 * goes to each of its peers (head-end replication); who is behind which peer is learned from what comes, so that a VM that moved
 * is found again by the first frame that it sends, as on a switch.
 */
import { isIpv6, vxlanDeviceOf, vxlanOverhead, type VxlanDefinition } from "@godwit/contract";
import { aliasOf, ownerIn, type FoundLink, type Steps, type WantedSwitch } from "./switch-plan.ts";

/** An entry of a tunnel's forwarding database: to whom frames for a MAC address are sent. */
export interface Remote {
  mac: string;
  address: string;
}

export interface TunnelPlan {
  /** `differs`: what is not as it is to be, a sentence's end; null: nothing. Those with nothing to do are left out. */
  steps: { switch: string; steps: Steps; differs: string | null }[];
  refused: { switch: string; reason: string }[];
}

/** Frames that no peer was learned for. */
export const unlearned = "00:00:00:00:00:00";
/** Who sends much with ever other MAC addresses fills no more than this. */
const mostLearned = 65_536;

type WantedTunnel = WantedSwitch & { vxlan: VxlanDefinition };
export const isTunnelled = (wanted: WantedSwitch): wanted is WantedTunnel => wanted.vxlan !== undefined;

/**
 * @param links all interfaces of this network namespace
 * @param remotes of the tunnels' interfaces, by name
 */
export function planTunnels(
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
  remotes: ReadonlyMap<string, readonly Remote[]>,
): TunnelPlan {
  const plan: TunnelPlan = { steps: removalOfOthers(wanted, links), refused: [] };
  const tunnelled = wanted.filter(isTunnelled);
  for (const one of tunnelled) {
    const { reason, effective } = within(one, links);
    if (reason !== null) plan.refused.push({ switch: one.name, reason });
    if (effective === null) continue;
    const found = links.find(({ name }) => name === effective.device);
    if (found !== undefined && tunnelOwner(found) !== one.name && !isUnfinished(found)) {
      const taken = `this host has an interface ${found.name} already, which its agent did not make`;
      plan.refused.push({ switch: one.name, reason: taken });
      continue;
    }
    const steps = stepsFor(one, effective, found, remotes.get(effective.device) ?? []);
    if (steps !== null) plan.steps.push({ switch: one.name, ...steps });
  }
  return plan;
}

/** While it cannot be limited who sends into tunnels: those that are wanted carry nothing, the others go. */
export function planHalt(wanted: readonly WantedSwitch[], links: readonly FoundLink[]): TunnelPlan {
  const steps: TunnelPlan["steps"] = removalOfOthers(wanted, links);
  for (const link of links)
    if (link.isOn && isWanted(link, wanted))
      steps.push({
        ...{ switch: tunnelOwner(link) ?? "", differs: null },
        steps: { ip: [`link set dev ${link.name} down`], bridge: [] },
      });
  return { steps, refused: [] };
}

/** Of the agent's tunnels those that no switch is to have. */
const removalOfOthers = (wanted: readonly WantedSwitch[], links: readonly FoundLink[]): TunnelPlan["steps"] =>
  links.flatMap((link) => {
    const name = tunnelOwner(link);
    if (name === null || isWanted(link, wanted)) return [];
    const steps = { ip: [`link del dev ${link.name}`], bridge: [] };
    return [{ switch: name, steps, differs: `tunnel ${link.name} was still there` }];
  });

const isWanted = (link: FoundLink, wanted: readonly WantedSwitch[]): boolean =>
  wanted.some((one) => isTunnelled(one) && one.name === tunnelOwner(link) && one.uplink === link.name);

/** Name of the switch that it is the tunnel of; null: it is no switch's. */
export const tunnelOwner = (link: FoundLink): string | null =>
  link.kind === "vxlan" && link.vxlan !== undefined && vxlanDeviceOf(link.vxlan) === link.name
    ? ownerIn(link.alias)
    : null;

/** One that was made and not finished, by an agent that ended just then. */
const isUnfinished = ({ kind, alias, isOn }: FoundLink): boolean =>
  kind === "vxlan" && alias === null && !isOn;

interface Effective {
  device: string;
  local: string;
  peers: readonly string[];
  mtu: number;
}

/** What of it this host can have. */
function within(
  { vxlan, mtu }: WantedTunnel,
  links: readonly FoundLink[],
): { reason: string | null; effective: Effective | null } {
  const { local, underlay } = vxlan;
  if (local === null) {
    const where = underlay === "migration" ? "no address for migrations" : `no address in ${underlay}`;
    return { reason: `this host has ${where}, from which it would send VXLAN`, effective: null };
  }
  const under = links.find(({ addresses }) => addresses.includes(local));
  if (under === undefined)
    return { reason: `no interface of this host has the address ${local}`, effective: null };
  const most = under.mtu - vxlanOverhead(local);
  const others = vxlan.peers.filter((peer) => isIpv6(peer) !== isIpv6(local));
  const reasons = [
    ...(most < mtu
      ? [
          `its link ${under.name} carries packets of ${String(under.mtu)} bytes, which leaves ${String(most)} within VXLAN, and not ${String(mtu)}`,
        ]
      : []),
    ...(others.length > 0
      ? [`${others.slice(0, 5).join(", ")} and ${local} are addresses of different IP versions`]
      : []),
  ];
  return {
    reason: reasons.length === 0 ? null : reasons.join("; "),
    effective: {
      ...{ device: vxlanDeviceOf(vxlan), local, mtu: Math.min(mtu, most) },
      peers: vxlan.peers.filter((peer) => !others.includes(peer)),
    },
  };
}

function stepsFor(
  { name, vxlan: { vni, port } }: WantedTunnel,
  { device, local, peers, mtu }: Effective,
  found: FoundLink | undefined,
  remotes: readonly Remote[],
): { steps: Steps; differs: string } | null {
  const steps: Steps = { ip: [], bridge: [] };
  const differs: string[] = [];
  const has = found?.vxlan;
  const isSame = found?.alias === aliasOf(name) && has?.port === port && has.local === local;
  if (!isSame) {
    if (found !== undefined) steps.ip.push(`link del dev ${device}`);
    steps.ip.push(
      `link add name ${device} type vxlan id ${String(vni)} local ${local} dstport ${String(port)} maxaddress ${String(mostLearned)}`,
      `link set dev ${device} alias ${aliasOf(name)}`,
      `link set dev ${device} addrgenmode none mtu ${String(mtu)} up`,
    );
    differs.push(
      found === undefined ? `tunnel ${device} was missing` : `tunnel ${device} had another address`,
    );
  } else {
    if (found.mtu !== mtu) {
      steps.ip.push(`link set dev ${device} mtu ${String(mtu)}`);
      differs.push(`tunnel ${device} had an MTU of ${String(found.mtu)}`);
    }
    if (!found.isOn) {
      steps.ip.push(`link set dev ${device} up`);
      differs.push(`tunnel ${device} was off`);
    }
  }
  const kept = isSame ? remotes : [];
  const missing = peers.filter(
    (peer) => !kept.some(({ mac, address }) => mac === unlearned && address === peer),
  );
  // Also what was learned of one that is no peer any more: nobody is behind it.
  const foreign = kept.filter(({ address }) => !peers.includes(address));
  steps.bridge.push(
    ...missing.map((peer) => `fdb append ${unlearned} dev ${device} dst ${peer}`),
    ...foreign.map(({ mac, address }) => `fdb del ${mac} dev ${device} dst ${address}`),
  );
  if (isSame && missing.length > 0)
    differs.push(`tunnel ${device} did not lead to ${missing.slice(0, 5).join(", ")}`);
  if (foreign.some(({ mac }) => mac === unlearned)) {
    const addresses = foreign.flatMap(({ mac, address }) => (mac === unlearned ? [address] : []));
    differs.push(`tunnel ${device} led to ${addresses.slice(0, 5).join(", ")}`);
  }
  return steps.ip.length + steps.bridge.length === 0 ? null : { steps, differs: differs.join(", ") };
}
