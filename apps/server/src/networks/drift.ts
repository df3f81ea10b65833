/** What of its switches and port groups a host has otherwise than the inventory defines it. Pure. */
import { isDeepStrictEqual } from "node:util";
import type {
  HostFacts,
  NetworkDefinition,
  NetworkList,
  NetworkRefusal,
  PortGroupFacts,
  SwitchDefinition,
  SwitchFacts,
} from "@godwit/contract";

export interface NetworkDrift {
  kind: NetworkRefusal["kind"];
  name: string;
  /** How it differs, a sentence's end. */
  reason: string;
  /** Whether it follows from what the host was told last. */
  isOfDefinition: boolean;
}

/** @param facts of the host, as it told them last */
export function networkDrift(desired: NetworkList, facts: HostFacts): NetworkDrift[] {
  const { networksRefused: refused, switches: has = [], portGroups } = facts;
  const drifts: NetworkDrift[] = [];
  const add = (kind: NetworkRefusal["kind"], name: string, difference: Difference | null) => {
    const why = refused?.find((one) => one.kind === kind && one.name === name)?.reason;
    if (difference === null) {
      // What its agent could not apply, or has just put right.
      if (why !== undefined) drifts.push({ kind, name, reason: why, isOfDefinition: false });
      return;
    }
    const reason =
      refused === undefined
        ? "its agent is of a version that takes no definitions of networks"
        : (why ?? difference.reason);
    drifts.push({ kind, name, reason, isOfDefinition: difference.isOfDefinition });
  };
  for (const wanted of desired.switches)
    add(
      "switch",
      wanted.name,
      switchDifference(
        wanted,
        has.find(({ name }) => name === wanted.name),
        new Set(facts.abilities),
      ),
    );
  for (const wanted of desired.networks)
    add(
      "network",
      wanted.name,
      networkDifference(
        wanted,
        portGroups.find(({ name }) => name === wanted.name),
        facts.abilities?.includes("announce") === true,
      ),
    );
  const removed = { reason: "it was removed, and the host still has it", isOfDefinition: true };
  for (const { name } of has)
    if (!desired.switches.some((one) => one.name === name)) add("switch", name, removed);
  for (const { name, definition } of portGroups)
    if (definition !== undefined && !desired.networks.some((one) => one.name === name))
      add("network", name, removed);
  return drifts;
}

/** Whether the host is to be told all that is defined for it: what its agent mends by itself it need not be told again. */
export const mustBeToldNetworks = (desired: NetworkList, facts: HostFacts): boolean =>
  facts.networksRefused !== undefined &&
  networkDrift(desired, facts).some(({ isOfDefinition }) => isOfDefinition);

type Difference = Pick<NetworkDrift, "reason" | "isOfDefinition">;

function switchDifference(
  wanted: SwitchDefinition,
  has: SwitchFacts | undefined,
  abilities: ReadonlySet<string>,
): Difference | null {
  const differs = (reason: string, isOfDefinition = true) => ({ reason, isOfDefinition });
  if (has === undefined) return differs("it does not have it");
  const { desiredUplink, uplink, mtu, bridge } = has;
  if (desiredUplink !== wanted.uplink)
    return differs(`it has it with ${uplinkText(desiredUplink)}, and not with ${uplinkText(wanted.uplink)}`);
  if (mtu !== wanted.mtu) return differs(`its MTU is ${String(mtu)}, and not ${String(wanted.mtu)}`);
  if (wanted.vxlan !== undefined && !abilities.has("vxlan"))
    return differs("its agent is of a version that knows no VXLAN", false);
  if (wanted.bond !== undefined && !abilities.has("bonds"))
    return differs("its agent is of a version that makes no bonds", false);
  if (!isDeepStrictEqual(has.vxlan, wanted.vxlan)) return differs("it has it with other VXLAN peers");
  if (!isDeepStrictEqual(has.bond, wanted.bond)) return differs("it has it with other network cards");
  if (uplink !== wanted.uplink)
    return differs(`${wanted.uplink ?? ""} is no port of its bridge ${bridge}, or does not exist`, false);
  return null;
}

const uplinkText = (uplink: string | null): string => (uplink === null ? "no uplink" : `uplink ${uplink}`);

/** @param looksAtMoved whether its agent is of a version that looks where the network has VMs that moved away */
function networkDifference(
  wanted: NetworkDefinition,
  has: PortGroupFacts | undefined,
  looksAtMoved: boolean,
): Difference | null {
  const differs = (reason: string) => ({ reason, isOfDefinition: true });
  if (has === undefined) return differs("it does not have it");
  const { definition, bridge } = has;
  if (definition === undefined) return differs(`it has it by its own configuration, on bridge ${bridge}`);
  if (definition.switch !== wanted.switch)
    return differs(`it has it on virtual switch ${definition.switch}, and not on ${wanted.switch}`);
  if (definition.vlan !== wanted.vlan)
    return differs(`it has it with VLAN ${String(definition.vlan)}, and not with ${String(wanted.vlan)}`);
  if (definition.mtu !== wanted.mtu) return differs("it has it with another MTU");
  if (definition.allowForgedTransmits !== wanted.allowForgedTransmits)
    return differs("it has it with another rule for MAC addresses");
  if (looksAtMoved && definition.isolatedHosts !== wanted.isolatedHosts)
    return differs("it has it with another setting of isolated hosts");
  return null;
}
