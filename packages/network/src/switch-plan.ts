/**
 * What has to be done so that this host has its virtual switches. Pure. A switch is a bridge that carries the switch's
 * name as its alias; no other bridge is changed or removed, and no interface is made a port that is used otherwise.
 * A bridge filters by VLAN, and lets none through by itself: each port is given those that it is to have.
 */
import { createHash } from "node:crypto";
import { isLinkLocal, type BondDefinition, type VxlanDefinition } from "@godwit/contract";

/** A switch as this host is to have it. */
export interface WantedSwitch {
  name: string;
  uplink: string | null;
  mtu: number;
  /** Of its port groups; 0: without a tag. */
  vlans: readonly number[];
  /** Taps of VMs that are to be in it. */
  taps: readonly { name: string; vlan: number; mtu?: number }[];
  /** Whether this host's kernel can: without it there are only port groups of VLAN 0. */
  filtersVlans: boolean;
  /** Its uplink is this tunnel: see `planTunnels`. */
  vxlan?: VxlanDefinition;
  /** Its uplink is this bond: see `planBonds`. */
  bond?: BondDefinition;
}

export interface PortVlan {
  vid: number;
  /** What comes in without a tag is in it, and what goes out has none. */
  untagged: boolean;
}

/** An interface as it is. */
export interface FoundLink {
  name: string;
  /** Of the kernel's kinds: `bridge`, `bond`, `vlan`, `tun`; null: hardware, or one that says none. */
  kind: string | null;
  isLoopback: boolean;
  alias: string | null;
  /** The bridge or bond that it is a port of. */
  master: string | null;
  /** The interface that it lies on, as a VLAN does. */
  lower: string | null;
  isOn: boolean;
  mtu: number;
  addresses: readonly string[];
  /** Of a bridge. */
  filtersVlans: boolean;
  /** Of a bridge's port. */
  vlans: readonly PortVlan[];
  /** Of a VXLAN tunnel. */
  vxlan?: { vni: number; port: number; local: string | null };
}

/** Lines of `ip -batch`, and then of `bridge -batch`. */
export interface Steps {
  ip: string[];
  bridge: string[];
}

export interface SwitchPlan {
  /** By switch; those with nothing to do are left out. */
  steps: { switch: string; steps: Steps }[];
  refused: { switch: string; reason: string }[];
}

/** The number that frames without a tag have within the bridge. */
const untaggedVid = 4094;

/** The bridge of a switch, the same on every host: within the kernel's 15 characters. */
export function bridgeOf(name: string): string {
  if (name.length <= 12) return `gs-${name}`;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 6);
  return `gs-${name.slice(0, 5)}-${digest}`;
}

const filtering = " vlan_filtering 1 vlan_default_pvid 0";
export const aliasOf = (name: string): string => `godwit-switch:${name}`;
const aliasPattern = /^godwit-switch:(.+)$/;

export const vlanOfPort = (vlan: number): PortVlan =>
  vlan === 0 ? { vid: untaggedVid, untagged: true } : { vid: vlan, untagged: false };
/** A VM's port has one VLAN, and the guest sees no tag. */
export const vlanOfTap = (vlan: number): PortVlan => ({ ...vlanOfPort(vlan), untagged: true });

/** @param wanted all switches that this host is to have. @param links all interfaces of this network namespace */
export function planSwitches(wanted: readonly WantedSwitch[], links: readonly FoundLink[]): SwitchPlan {
  const plan: SwitchPlan = { steps: [], refused: [] };
  const add = (name: string, steps: Steps) => {
    if (steps.ip.length + steps.bridge.length > 0) plan.steps.push({ switch: name, steps });
  };
  for (const bridge of links) {
    const name = ownerOf(bridge);
    if (name === null || wanted.some((one) => one.name === name)) continue;
    const reason = keptBecause(bridge, links);
    if (reason === null) add(name, { ip: [`link del dev ${bridge.name}`], bridge: [] });
    else plan.refused.push({ switch: name, reason });
  }
  for (const one of wanted) {
    const bridge = links.find(({ name }) => name === bridgeOf(one.name));
    if (bridge !== undefined && ownerOf(bridge) !== one.name && !isUnfinished(bridge, links)) {
      const reason = `this host has an interface ${bridge.name} already, which its agent did not make`;
      plan.refused.push({ switch: one.name, reason });
      continue;
    }
    const reason = uplinkProblem(one, wanted, links);
    if (reason !== null) plan.refused.push({ switch: one.name, reason });
    add(one.name, stepsFor(reason === null ? one : { ...one, uplink: null }, bridge, links));
  }
  return plan;
}

/** Name of the switch in an interface's alias. */
export const ownerIn = (alias: string | null): string | null => aliasPattern.exec(alias ?? "")?.[1] ?? null;

/** Name of the switch that it is the bridge of; null: it is no switch's. */
export function ownerOf({ kind, alias, name }: FoundLink): string | null {
  const owner = kind === "bridge" ? ownerIn(alias) : null;
  return owner !== null && bridgeOf(owner) === name ? owner : null;
}

/** One that was made and not finished, by an agent that ended just then. */
const isUnfinished = (bridge: FoundLink, links: readonly FoundLink[]): boolean =>
  bridge.kind === "bridge" &&
  bridge.alias === null &&
  !bridge.isOn &&
  bridge.addresses.length === 0 &&
  links.every(({ master }) => master !== bridge.name);

export const isTap = ({ kind }: FoundLink): boolean => kind === "tun";
const global = ({ addresses }: FoundLink): string[] => addresses.filter((address) => !isLinkLocal(address));

function keptBecause(bridge: FoundLink, links: readonly FoundLink[]): string | null {
  const taps = links.filter((link) => link.master === bridge.name && isTap(link));
  if (taps.length > 0) return `VMs are connected to it (${taps.map(({ name }) => name).join(", ")})`;
  const [address] = global(bridge);
  if (address !== undefined) return `its bridge ${bridge.name} has the address ${address}`;
  const above = links.find(({ lower }) => lower === bridge.name);
  return above === undefined ? null : `interface ${above.name} lies on its bridge ${bridge.name}`;
}

/** Why the uplink cannot be made a port of the switch; null: it can be, it is one, or it is not there. */
function uplinkProblem(
  { name, uplink, vxlan }: WantedSwitch,
  wanted: readonly WantedSwitch[],
  links: readonly FoundLink[],
): string | null {
  const found = links.find((link) => link.name === uplink);
  if (uplink === null || found === undefined) return null;
  const other = wanted.find((one) => one.uplink === uplink && one.name < name);
  if (other !== undefined) return `${uplink} is the uplink of virtual switch ${other.name}`;
  const others = links.filter(
    (link) => link.master === bridgeOf(name) && link.name !== uplink && !isTap(link),
  );
  const [former] = others;
  // With a tunnel a port that an operator put into the bridge, as a router's, makes no loop by itself.
  if (former !== undefined && vxlan === undefined)
    return `its bridge ${bridgeOf(name)} has the port ${former.name} too, with which ${uplink} would make a loop: ip link set dev ${former.name} nomaster takes it out`;
  const { master } = found;
  if (master === bridgeOf(name)) return null;
  if (master !== null) {
    const over = links.find((link) => link.name === master);
    if (over?.kind === "bond") return `${uplink} is part of the bond ${master}: name that as the uplink`;
    const owner = over === undefined ? null : ownerOf(over);
    if (owner !== null && !wanted.some((one) => one.name === owner))
      return `${uplink} is still the uplink of virtual switch ${owner}`;
    return owner === null
      ? `${uplink} is a port of ${master}, which this host's agent did not make`
      : `${uplink} is the uplink of virtual switch ${owner}`;
  }
  if (found.isLoopback || found.kind === "bridge" || isTap(found))
    return `${uplink} is no network card and no bond, but ${kindText(found)}`;
  return addressProblem(found, links);
}

export const kindText = (link: FoundLink): string =>
  link.isLoopback ? "loopback" : isTap(link) ? "a tap" : `a ${link.kind ?? "network card"}`;

/** Why a card cannot be taken without cutting off the host; null: it can be. */
export function addressProblem(found: FoundLink, links: readonly FoundLink[]): string | null {
  const [address] = global(found);
  if (address !== undefined)
    return `${found.name} has the address ${address} of this host, which would be cut off: give the switch a network card without an address`;
  const above = links.find(
    (link) => link.lower === found.name && link.name !== found.name && global(link).length > 0,
  );
  return above === undefined
    ? null
    : `${above.name}, which lies on ${found.name}, has the address ${global(above)[0] ?? ""} of this host: give the switch a network card without one`;
}

function stepsFor(
  { name, uplink, mtu, vxlan, bond, vlans, taps, filtersVlans }: WantedSwitch,
  bridge: FoundLink | undefined,
  links: readonly FoundLink[],
): Steps {
  const device = bridgeOf(name);
  const steps: Steps = { ip: [], bridge: [] };
  if (bridge === undefined) {
    // Multicast is flooded: a VM that comes by a move has not told this bridge yet which groups it is in.
    steps.ip.push(
      `link add name ${device} type bridge${filtersVlans ? filtering : ""} forward_delay 0 stp_state 0 mcast_snooping 0`,
      `link set dev ${device} alias ${aliasOf(name)}`,
      `link set dev ${device} addrgenmode none mtu ${String(mtu)} up`,
    );
  } else {
    if (bridge.alias === null) steps.ip.push(`link set dev ${device} alias ${aliasOf(name)}`);
    if (filtersVlans && !bridge.filtersVlans) steps.ip.push(`link set dev ${device} type bridge${filtering}`);
    if (bridge.mtu !== mtu) steps.ip.push(`link set dev ${device} mtu ${String(mtu)}`);
    if (!bridge.isOn) steps.ip.push(`link set dev ${device} up`);
  }
  // A tunnel or bond of the agent's making, and no other of that name; whether a tunnel is on is the tunnels' affair.
  const isMade = vxlan !== undefined || bond !== undefined;
  const port = links.find((link) => link.name === uplink && (!isMade || ownerIn(link.alias) === name));
  if (port !== undefined) {
    if (port.mtu < mtu && port.vxlan === undefined)
      steps.ip.push(`link set dev ${port.name} mtu ${String(mtu)}`);
    if (port.master !== device) steps.ip.push(`link set dev ${port.name} master ${device}`);
    if (!port.isOn && vxlan === undefined) steps.ip.push(`link set dev ${port.name} up`);
    const has = port.master === device ? port.vlans : [];
    if (filtersVlans) steps.bridge.push(...vlanSteps(port.name, has, [...new Set(vlans)].map(vlanOfPort)));
  }
  for (const { name: tap, vlan, mtu: tapMtu } of taps) {
    const found = links.find((link) => link.name === tap);
    if (found === undefined || !isTap(found)) continue; // it is being made, or removed
    if (tapMtu !== undefined && found.mtu !== tapMtu)
      steps.ip.push(`link set dev ${tap} mtu ${String(tapMtu)}`);
    if (found.master !== device) steps.ip.push(`link set dev ${tap} master ${device} up`);
    const has = found.master === device ? found.vlans : [];
    if (filtersVlans) steps.bridge.push(...vlanSteps(tap, has, [vlanOfTap(vlan)]));
  }
  return steps;
}

/** Those that it is to have come first: what goes on is not interrupted. */
function vlanSteps(port: string, has: readonly PortVlan[], wanted: readonly PortVlan[]): string[] {
  const isSame = (a: PortVlan, b: PortVlan) => a.vid === b.vid && a.untagged === b.untagged;
  const words = ({ vid, untagged }: PortVlan) =>
    `dev ${port} vid ${String(vid)}${untagged ? " pvid untagged" : ""}`;
  return [
    ...wanted
      .filter((one) => !has.some((other) => isSame(one, other)))
      .map((one) => `vlan add ${words(one)}`),
    ...has
      .filter(({ vid }) => !wanted.some((one) => one.vid === vid))
      .map(({ vid }) => `vlan del dev ${port} vid ${String(vid)}`),
  ];
}
