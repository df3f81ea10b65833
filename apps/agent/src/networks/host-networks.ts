/**
 * Which switches and port groups this host has: those that the inventory defines for it, kept on disk, so that an agent which
 * cannot reach the server goes on by them; and the port groups of the agent's own configuration, on bridges that its
 * administrator made. What a VM here uses is changed where that was asked for,
 * and is not taken away. Nothing is done here to a bridge: see `HostSwitches`.
 */
import {
  networkListSchema,
  type NetworkDefinition,
  type NetworkList,
  type NetworkRefusal,
} from "@godwit/contract";
import { bridgeOf, type PortGroupConfig } from "@godwit/network";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import type { Logger } from "pino";
import { z } from "zod";
import { networksFile, type AgentConfig } from "../config.ts";

type Config = Pick<AgentConfig, "stateFolder" | "portGroups">;

export interface HostPortGroup extends PortGroupConfig {
  allowForgedTransmits: boolean;
  /** Hosts do not receive each other's broadcasts. */
  isolatedHosts?: boolean | undefined;
}

const fileSchema = networkListSchema.extend({ version: z.literal(1) });
const nothing: NetworkList = { switches: [], networks: [] };

/** VMs that have a process here and a NIC in a port group, in words. */
export type UsersOf = (network: string) => readonly string[];

export class HostNetworks {
  readonly #config: Config;
  #kept: NetworkList;
  #refused: readonly NetworkRefusal[] = [];
  #taking: Promise<unknown> = Promise.resolve();
  /** Whether bridges of this host's kernel filter by VLAN; set before anything is asked. */
  filtersVlans = true;

  private constructor(config: Config, kept: NetworkList) {
    this.#config = config;
    this.#kept = kept;
  }

  /** Only those of the configuration. */
  static configured(config: Config): HostNetworks {
    return new HostNetworks(config, nothing);
  }

  /** As they were last. Where that cannot be read, the configuration counts until the server sends them again. */
  static async read(config: Config, log: Pick<Logger, "error">): Promise<HostNetworks> {
    const text = await readFileOrNull(networksFile(config));
    if (text === null) return HostNetworks.configured(config);
    const kept = fileSchema.safeParse(valueOf(text));
    if (kept.success) return new HostNetworks(config, kept.data);
    log.error(
      { err: kept.error },
      "which networks this host has cannot be read: the server sends them again",
    );
    return HostNetworks.configured(config);
  }

  /** What this host goes by, of the inventory's. */
  get definitions(): NetworkList {
    return this.#kept;
  }

  /** In order of their names; without those that this host cannot have. */
  get all(): HostPortGroup[] {
    return [...this.#config.portGroups, ...this.#kept.networks.flatMap((one) => this.#portGroup(one))].sort(
      (a, b) => (a.name < b.name ? -1 : 1),
    );
  }

  find(name: string): HostPortGroup | undefined {
    return this.all.find((one) => one.name === name);
  }

  /** What of the inventory's last list was not applied. */
  get refused(): readonly NetworkRefusal[] {
    return [
      ...this.#refused,
      ...this.#kept.networks.flatMap(({ name, vlan }) =>
        this.#canHave(vlan)
          ? []
          : [
              {
                kind: "network" as const,
                name,
                reason: "bridges of this host's kernel do not filter by VLAN",
              },
            ],
      ),
    ];
  }

  /**
   * Takes all that the inventory defines; it counts once it is on disk.
   * @returns whether it is another list than before
   */
  async take(list: NetworkList, users: UsersOf): Promise<boolean> {
    const taken = this.#taking.then(() => this.#takeNext(list, users));
    this.#taking = taken.catch(() => undefined);
    return await taken;
  }

  async #takeNext(list: NetworkList, users: UsersOf): Promise<boolean> {
    const { kept, refused } = mergeNetworks(list, this.#kept, this.#config.portGroups, users);
    const isChanged = JSON.stringify(kept) !== JSON.stringify(this.#kept);
    if (isChanged) await writeFileAtomic(networksFile(this.#config), JSON.stringify({ version: 1, ...kept }));
    this.#kept = kept;
    this.#refused = refused;
    return isChanged;
  }

  #canHave(vlan: number): boolean {
    return vlan === 0 || this.filtersVlans;
  }

  #portGroup(definition: NetworkDefinition): HostPortGroup[] {
    const { name, vlan, allowForgedTransmits, isolatedHosts } = definition;
    const on = this.#kept.switches.find((one) => one.name === definition.switch);
    if (on === undefined || !this.#canHave(vlan)) return [];
    const group = { name, bridge: bridgeOf(on.name), uplink: on.uplink, allowForgedTransmits, definition };
    return [{ ...group, isolatedHosts, ...(on.vxlan === undefined ? {} : { vxlan: on.vxlan }) }];
  }
}

/**
 * What a host goes by after it was told a list. What its VMs use stays, on its switch with its uplink; VLAN, MTU and what may be sent
 * change under them. A name of the host's own configuration stays the configuration's. Pure.
 */
export function mergeNetworks(
  list: NetworkList,
  before: NetworkList,
  own: readonly { name: string; bridge: string }[],
  users: UsersOf,
): { kept: NetworkList; refused: NetworkRefusal[] } {
  const refused: NetworkRefusal[] = [];
  const networks: NetworkDefinition[] = [];
  const refuse = (kind: NetworkRefusal["kind"], name: string, reason: string) => {
    refused.push({ kind, name, reason: reason.slice(0, 1000) });
  };
  const names = [...new Set([...list.networks, ...before.networks].map(({ name }) => name))];
  for (const name of names) {
    const wanted = list.networks.find((one) => one.name === name);
    const has = before.networks.find((one) => one.name === name);
    const configured = own.find((one) => one.name === name);
    if (configured !== undefined) {
      if (wanted !== undefined)
        refuse(
          "network",
          name,
          `its agent.yaml has a port group of this name, on bridge ${configured.bridge}: take that out of portGroups and restart the agent when no VM there uses it`,
        );
      continue;
    }
    const reason = has === undefined || has.switch === wanted?.switch ? null : inUse(users(name));
    if (reason === null) {
      if (wanted !== undefined) networks.push(wanted);
    } else if (has !== undefined) {
      networks.push(has);
      refuse("network", name, reason);
    }
  }
  const switches = [...list.switches];
  for (const has of before.switches) {
    const index = switches.findIndex(({ name }) => name === has.name);
    const wanted = switches[index];
    if (wanted !== undefined && wanted.uplink === has.uplink) continue;
    const on = networks.filter((one) => one.switch === has.name);
    const reason = inUse(on.flatMap(({ name }) => users(name)));
    if (reason === null) continue;
    refuse("switch", has.name, reason);
    if (wanted === undefined) switches.push(has);
    else switches[index] = has;
  }
  const isThere = (one: NetworkDefinition) => switches.some(({ name }) => name === one.switch);
  for (const { name, switch: on } of networks.filter((one) => !isThere(one)))
    refuse("network", name, `this host has no virtual switch ${on}`);
  return { kept: { switches, networks: networks.filter(isThere) }, refused };
}

const inUse = (vms: readonly string[]): string | null => {
  const [first] = vms;
  if (first === undefined) return null;
  const all = [...new Set(vms)];
  return `${all.slice(0, 10).join(", ")} ${all.length === 1 ? "is" : "are"} connected to it on this host as it was`;
};

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // which is no list
  }
}
