/**
 * Each of the VM's port groups exists at the destination, leads outside at both ends, carries there, and lets the same
 * packets through as at the source. As vSphere has it, what is wrong with one whose NICs are all disconnected forbids nothing: its
 * owner is warned.
 */
import { finding, type Finding, type PortGroupFacts, type PortGroupLoad } from "@godwit/contract";
import { failureOf } from "../failure.ts";
import type { ColdRequirement, RelocationFacts, Reachable, Requirement } from "../facts.ts";

const untold = "its agent is of an earlier version, which tells only that it is not up";

export const portGroups: Requirement = (facts) => findingsOf(facts, "error");

/** Of a VM that does not run no connections would be lost: its owner is warned that its network is another host's. */
export const portGroupsAtRest: ColdRequirement = (facts) => findingsOf(facts, "warning");

/** @param internal how much an internal switch matters */
function findingsOf(
  { vm, source, target, targetLoad }: Reachable<RelocationFacts>,
  internal: Finding["severity"],
): Finding[] {
  const names = [...new Set(vm.nics.map((nic) => nic.portGroup))];
  return names.flatMap((network) => {
    const found = findingsOfGroup(network);
    const isUp = vm.nics.some((nic) => nic.portGroup === network && nic.connected !== false);
    return isUp ? found : found.map((one) => ({ ...one, severity: "warning" as const }));
  });

  function findingsOfGroup(network: string): Finding[] {
    const host = target.name;
    const here = source?.portGroups.find((group) => group.name === network);
    const there = target.portGroups.find((group) => group.name === network);
    const now = targetLoad.portGroups?.find(({ name }) => name === network);
    if (there === undefined) {
      return now?.state === "bridgeMissing"
        ? [finding("NETWORK_WITHOUT_BRIDGE", { host, network, bridge: now.bridge ?? "" })]
        : [finding("DESTINATION_LACKS_NETWORK", { host, network })];
    }
    const findings: Finding[] = [];
    if (source !== null && here?.uplink === null) {
      findings.push(finding("NETWORK_INTERNAL", { host: source.name, network }, internal));
    }
    if (there.uplink === null) {
      findings.push(finding("NETWORK_INTERNAL", { host, network }, internal));
    } else {
      const reason = targetLoad.portGroups === null ? failureOf(targetLoad, "portGroups") : untold;
      findings.push(...notCarrying(host, { ...there, uplink: there.uplink }, now, reason));
    }
    if (source !== null && here !== undefined) {
      findings.push(
        ...otherVlan(source.name, here, host, there),
        ...noTunnel(source.name, here, host, there),
        ...otherMtu(source.name, here, host, there),
      );
    }
    return findings;
  }
}

/** @param unknown why it is not known what is wrong */
function notCarrying(
  host: string,
  { name: network, bridge, uplink }: PortGroupFacts & { uplink: string },
  now: PortGroupLoad | undefined,
  unknown: string,
): Finding[] {
  if (now?.uplinkUp === true) return [];
  switch (now?.state) {
    case "bridgeMissing":
      return [finding("NETWORK_WITHOUT_BRIDGE", { host, network, bridge })];
    case "bridgeOff":
      return [finding("NETWORK_BRIDGE_OFF", { host, network, bridge })];
    case "uplinkMissing":
      return [finding("NETWORK_UPLINK_MISSING", { host, network, uplink })];
    case "uplinkNotInBridge":
      return [finding("NETWORK_UPLINK_ELSEWHERE", { host, network, uplink, bridge })];
    case "uplinkOff":
      return [finding("NETWORK_UPLINK_OFF", { host, network, uplink })];
    case "uplinkWithoutCarrier":
      return [finding("NETWORK_LINK_DOWN", { host, network, uplink })];
    default:
      return [finding("NETWORK_LINK_UNDETERMINED", { host, network, uplink, reason: unknown })];
  }
}

/** Of a bridge that a host has by its own configuration the VLAN is not known. */
function otherVlan(from: string, here: PortGroupFacts, host: string, there: PortGroupFacts): Finding[] {
  const [sourceVlan, vlan] = [here.definition?.vlan, there.definition?.vlan];
  if (sourceVlan === undefined || vlan === undefined || sourceVlan === vlan) return [];
  return [finding("NETWORK_VLAN_DIFFERS", { host, network: there.name, vlan, from, sourceVlan })];
}

/** Each sends to the other, as their kernels have it. */
function noTunnel(
  from: string,
  { tunnel: here }: PortGroupFacts,
  host: string,
  { name: network, tunnel: there }: PortGroupFacts,
): Finding[] {
  if (here === undefined || there === undefined) return [];
  const missing = (reason: string) => [finding("NETWORK_TUNNEL_MISSING", { host, network, from, reason })];
  if (here.vni !== there.vni)
    return missing(`it is segment ${String(here.vni)} on ${from}, and ${String(there.vni)} on ${host}`);
  if (!here.peers.includes(there.local)) return missing(`${from} does not send to ${there.local}`);
  return there.peers.includes(here.local) ? [] : missing(`${host} does not send to ${here.local}`);
}

/** Smaller than at the source loses what the guest sends; larger is only odd. */
function otherMtu(from: string, here: PortGroupFacts, host: string, there: PortGroupFacts): Finding[] {
  const details = { host, network: there.name, mtu: there.mtu, from, sourceMtu: here.mtu };
  if (there.mtu < here.mtu) return [finding("NETWORK_MTU_SMALLER", details)];
  return there.mtu > here.mtu ? [finding("NETWORK_MTU_LARGER", details, "warning")] : [];
}
