/**
 * Makes the bridges of this host's switches be as they are defined: when they are told, when the agent starts, and now and then,
 * for others may change them. VMs' taps that were taken out are put in again.
 */
import type { NetworkList, NetworkRefusal, Vm } from "@godwit/contract";
import {
  applySwitches,
  canFilterVlans,
  lostPorts,
  switchFacts,
  tapsOf,
  type WantedSwitch,
} from "@godwit/network";
import type { Logger } from "pino";
import { reasonOf } from "../reason.ts";
import { RepeatedLook } from "../repeated-look.ts";
import { changesByOthers, type LastLook } from "./changes-by-others.ts";
import type { HostNetworks } from "./host-networks.ts";

const everyMs = 10_000;

export interface HostSwitchesParts {
  networks: HostNetworks;
  /** VMs that have a process here. */
  vms: () => readonly Vm[];
  /** VMs whose QEMU may run and does not say what it uses, in words. */
  mayUseAny: () => readonly string[];
  /** Lets a VM send what its port groups allow now, and nothing else. */
  secure: (vm: Vm) => Promise<void>;
  onChange: () => void;
  log: Pick<Logger, "info" | "warn">;
}

export class HostSwitches {
  readonly #parts: HostSwitchesParts;
  #refused: readonly NetworkRefusal[] = [];
  #applying: Promise<unknown> = Promise.resolve();
  #lastLook: LastLook | null = null;
  /** What VMs here may send has changed, and is not applied to all of them. */
  #mustSecure = false;

  constructor(parts: HostSwitchesParts) {
    this.#parts = parts;
  }

  /** What the server defines for this host. @returns what was left as it was, and why */
  async put(list: NetworkList): Promise<NetworkRefusal[]> {
    const { networks, log, onChange } = this.#parts;
    const isChanged = await networks.take(list, (name) => this.#usersOf(name));
    this.#mustSecure ||= isChanged;
    await this.apply();
    const { switches, networks: groups } = networks.definitions;
    const refused = this.refused;
    if (isChanged) {
      log.info(
        {
          ...{ switches: switches.map(({ name }) => name), networks: groups.map(({ name }) => name) },
          ...(refused.length === 0 ? {} : { refused }),
        },
        "networks taken from the inventory",
      );
      onChange();
    }
    return refused;
  }

  /** What this host has not as it is defined, and why. */
  get refused(): NetworkRefusal[] {
    return [...this.#parts.networks.refused, ...this.#refused];
  }

  /** As they are. @throws what looking at the interfaces throws */
  async facts(): ReturnType<typeof switchFacts> {
    return await switchFacts(this.#wanted());
  }

  /** Never rejects: what could not be done is among `refused`, and tried again. */
  async apply(): Promise<void> {
    const applied = this.#applying.then(() => this.#apply());
    this.#applying = applied.catch(() => undefined);
    await applied.catch((error: unknown) => {
      this.#parts.log.warn({ err: error }, "the virtual switches could not be looked at");
    });
  }

  repeated(): RepeatedLook {
    return new RepeatedLook(
      everyMs,
      () => this.apply(),
      () => undefined,
    );
  }

  /** Before anything is asked of the networks. */
  async start(): Promise<void> {
    try {
      this.#parts.networks.filtersVlans = await canFilterVlans();
    } catch (error) {
      this.#parts.log.warn({ err: error }, "whether bridges filter by VLAN could not be tried");
    }
    await this.apply();
  }

  async #apply(): Promise<void> {
    const wanted = this.#wanted();
    const { networks, onChange } = this.#parts;
    const before = JSON.stringify(this.#refused);
    const definitions = JSON.stringify(networks.definitions.switches);
    const last = this.#lastLook;
    this.#lastLook = null;
    try {
      const applied = await applySwitches(wanted);
      const { refused } = applied;
      const others = changesByOthers(last, definitions, applied);
      if (others.length > 0) this.#parts.log.warn({ changed: others }, "tunnels were changed by others");
      this.#lastLook = { definitions, refused: refused.map((one) => one.switch) };
      this.#refused = [...others, ...refused].map(({ switch: name, reason }) => ({
        ...{ kind: "switch" as const, name, reason: reason.slice(0, 1000) },
      }));
    } catch (error) {
      const reason = reasonOf(error).slice(0, 1000);
      this.#refused = networks.definitions.switches.map(({ name }) => ({ kind: "switch", name, reason }));
    }
    const lost = await this.#lost();
    if (this.#mustSecure) this.#refused = [...this.#refused, ...(await this.#secure())];
    this.#refused = [...this.#refused, ...lost];
    if (before !== JSON.stringify(this.#refused)) onChange();
  }

  /** Of VMs that something else let send what they like: they are secured again. */
  async #lost(): Promise<NetworkRefusal[]> {
    const taps = await lostPorts().catch((): string[] => []); // then it is not known: the next look tells
    const vms = this.#parts.vms().filter((vm) => tapsOf(vm).some((tap) => taps.includes(tap)));
    if (vms.length === 0) return [];
    this.#mustSecure = true;
    this.#parts.log.warn({ vms: vms.map(({ name }) => name) }, "what VMs may send was not limited any more");
    return vms.flatMap(({ name: vm, nics }) => {
      const reason = `VM ${vm} could send what it likes until now: something else on the host removed what limits it from nftables`;
      return nics.map(({ portGroup: name }) => ({ kind: "network" as const, name, reason }));
    });
  }

  async #secure(): Promise<NetworkRefusal[]> {
    this.#mustSecure = false;
    const refused: NetworkRefusal[] = [];
    for (const vm of this.#parts.vms()) {
      try {
        await this.#parts.secure(vm);
      } catch (error) {
        this.#mustSecure = true;
        const reason = `what VM ${vm.name} may send was not changed: ${reasonOf(error)}`.slice(0, 1000);
        for (const { portGroup: name } of vm.nics) refused.push({ kind: "network", name, reason });
      }
    }
    return refused;
  }

  #wanted(): WantedSwitch[] {
    const { networks, vms } = this.#parts;
    const { switches, networks: groups } = networks.definitions;
    const present = vms();
    return switches.map(({ name, uplink, mtu, vxlan, bond }) => {
      const own = groups.filter((one) => one.switch === name && networks.find(one.name) !== undefined);
      return {
        ...{ name, uplink, mtu, filtersVlans: networks.filtersVlans },
        ...(vxlan === undefined ? {} : { vxlan }),
        ...(bond === undefined ? {} : { bond }),
        vlans: [...new Set(own.map(({ vlan }) => vlan))],
        taps: present.flatMap((vm) => {
          const taps = tapsOf(vm);
          return vm.nics.flatMap(({ portGroup, connected }, index) => {
            if (connected === false) return [];
            const group = own.find((one) => one.name === portGroup);
            return group === undefined
              ? []
              : [{ name: taps[index] as string, vlan: group.vlan, mtu: group.mtu ?? mtu }];
          });
        }),
      };
    });
  }

  #usersOf(network: string): string[] {
    const { vms, mayUseAny } = this.#parts;
    const users = vms().filter(({ nics }) => nics.some(({ portGroup }) => portGroup === network));
    return [
      ...users.map(({ name }) => `VM ${name}`),
      ...mayUseAny().map((name) => `VM ${name}, which may be,`),
    ];
  }
}
