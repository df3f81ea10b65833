/**
 * Whether this host has received frames of a MAC address from outside: its bridge has learned the address at a port that leads there. So
 * it is seen of a VM that has moved away whether the announcement of its addresses went through the physical switches. Where the bridge could
 * not have learned it nothing is said: a failure to look is no answer.
 */
import { GodwitError } from "@godwit/contract";
import { run } from "@godwit/system";
import { z } from "zod";
import { interfacesNow, type Interface } from "./iproute.ts";
import { lookUp, stateOf, type LookedUp, type PortGroupConfig } from "./port-groups.ts";
import { vlanOfPort } from "./switch-plan.ts";

export type Learning = "learned" | "notLearned" | "unknown";

/** An entry of a bridge's forwarding database. */
export interface ForwardingEntry {
  /** The port at which the address was seen last. */
  port: string;
  /** An administrator or the kernel has set it: frames do not change it. */
  isFixed: boolean;
}

/** An entry is gone so soon after the last frame that a look may come too late. */
const shortestAgeingMs = 10_000;

/**
 * Whether the bridge of a port group learns at its uplink now, and in which VLAN. Pure.
 * @returns null: it does not, or that cannot be told. `vlan` null: the bridge knows of no VLANs
 */
export function learningIn(group: LookedUp): { vlan: number | null } | null {
  const { config, found: bridge, port } = group;
  if (stateOf(group) !== "up" || bridge === undefined || port === undefined) return null;
  const { info_slave_kind: kind, info_slave_data: slave } = port.linkinfo ?? {};
  const learns = slave?.learning === true && slave.locked !== true;
  if (kind !== "bridge" || !learns || (slave.state !== "forwarding" && slave.state !== "learning"))
    return null;
  const {
    ageing_time: ageing,
    vlan_filtering: filters,
    vlan_default_pvid: own,
  } = bridge.linkinfo?.info_data ?? {};
  if (ageing === undefined || ageing * 10 < shortestAgeingMs) return null;
  if (filters !== 1) return { vlan: null };
  if (config.definition !== undefined) return { vlan: vlanOfPort(config.definition.vlan).vid };
  // Of an administrator's bridge: where taps come to be that nobody gives a VLAN.
  return own === undefined || own === 0 ? null : { vlan: own };
}

/** What an entry says, or that there is none. Pure. @param interfaces of this network namespace */
export function learningOf(entry: ForwardingEntry | null, interfaces: readonly Interface[]): Learning {
  if (entry === null) return "notLearned";
  if (entry.isFixed) return "unknown";
  const port = interfaces.find(({ ifname }) => ifname === entry.port);
  if (port === undefined || port.linkinfo?.info_slave_kind !== "bridge") return "unknown";
  return port.linkinfo.info_data?.type === "tap" ? "notLearned" : "learned";
}

/** @throws PROGRAM_FAILED, PROGRAM_MISSING */
export async function macLearning(config: PortGroupConfig, mac: string): Promise<Learning> {
  const interfaces = await interfacesNow();
  const learning = learningIn(lookUp(config, interfaces));
  if (learning === null) return "unknown";
  const entry = await entryOf(config.bridge, mac, learning.vlan);
  return entry === undefined ? "unknown" : learningOf(entry, interfaces);
}

const entriesSchema = z.tuple([z.object({ ifname: z.string(), state: z.string().default("") })]);

/** @param json of `bridge -json fdb get`. @returns undefined: it is none */
export function entryIn(json: string): ForwardingEntry | undefined {
  const read = entriesSchema.safeParse(JSON.parse(json));
  if (!read.success) return undefined;
  const [{ ifname, state }] = read.data;
  return { port: ifname, isFixed: state === "static" || state === "permanent" };
}

/** Null: there is none. */
async function entryOf(
  bridge: string,
  mac: string,
  vlan: number | null,
): Promise<ForwardingEntry | null | undefined> {
  const words = ["-json", "fdb", "get", mac, "br", bridge, ...(vlan === null ? [] : ["vlan", String(vlan)])];
  const what = `looking where ${mac} is on bridge ${bridge}`;
  try {
    return entryIn((await run("bridge", words, { what, timeoutMs: 5000 })).stdout);
  } catch (error) {
    if (GodwitError.is(error, "PROGRAM_FAILED") && isNoEntry(String(error.problem.details.output)))
      return null;
    throw error;
  }
}

/** By the kernel's own words: that the bridge is gone, or that this kernel cannot tell, are others. */
const isNoEntry = (said: string): boolean => /\bFdb entry not found\b/.test(said);
