/**
 * What this host is, read again each time, one file a part. A part that cannot be read is reported as it was read last,
 * with the reason: what a host is does not change because somebody failed to look.
 */
import { bootId } from "../commands/host-commands.ts";
import { datastoreKinds } from "@godwit/storage";
import type { HostFacts, SwitchFacts } from "@godwit/contract";
import { hasTpmEmulator, uefiFacts, type Hypervisor } from "@godwit/hypervisor";
import { linkFacts, linkWith, portGroupFacts } from "@godwit/network";
import { version } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import { containmentFacts } from "./containment.ts";
import { cpuFacts } from "./cpu.ts";
import type { Datastores } from "./datastores.ts";
import type { HostDatastores } from "../datastores/host-datastores.ts";
import type { HostNetworks } from "../networks/host-networks.ts";
import type { HostSwitches } from "../networks/host-switches.ts";
import type { FurtherLinks } from "../migration-path/further-links.ts";
import type { HostCpu } from "../qemu/host-cpu.ts";
import { hostDeviceFacts } from "../vms/host-device-facts.ts";
import { memoryFacts } from "./memory.ts";
import { readQemu } from "../qemu/qemu-facts.ts";
import { reasonOf } from "../reason.ts";
import type { SetAside } from "../vms/set-aside.ts";
import type { Environment } from "../vms/environment.ts";

export interface FactsSources {
  config: Pick<AgentConfig, "name" | "migration" | "qemu" | "updates">;
  hypervisor: Hypervisor;
  furtherLinks: Pick<FurtherLinks, "problem">;
  cpu: HostCpu;
  datastores: Datastores;
  hostDatastores: Pick<HostDatastores, "refused">;
  networks: Pick<HostNetworks, "all">;
  switches: Pick<HostSwitches, "facts" | "refused">;
  setAside: Pick<SetAside, "all">;
  environment: Pick<Environment, "portSecurityProblem"> & { users: Pick<Environment["users"], "problem"> };
}

type Parts = Pick<HostFacts, "cpu" | "memory" | "qemu" | "links" | "portGroups" | "datastores"> & {
  switches: SwitchFacts[];
};
type Read<T> = () => T | Promise<T>;

export class HostFactsReader {
  readonly #sources: FactsSources;
  readonly #parts: { readonly [Part in keyof Parts]: Read<Parts[Part]> };
  readonly #last: Partial<Parts> = {};

  constructor(sources: FactsSources) {
    this.#sources = sources;
    const { hypervisor, cpu, datastores, networks, switches } = sources;
    this.#parts = {
      cpu: () => cpuFacts(cpu),
      memory: memoryFacts,
      qemu: () => readQemu(hypervisor, cpu),
      links: linkFacts,
      portGroups: () => portGroupFacts(networks.all),
      switches: () => switches.facts(),
      datastores: () => datastores.facts(),
    };
  }

  /** @throws what reading throws, of a part that was never read */
  async read(): Promise<HostFacts> {
    const { config, environment, setAside, hostDatastores, furtherLinks } = this.#sources;
    const failures: HostFacts["failures"] = [];
    const [cpu, memory, qemu, links, portGroups, switches, datastores] = await Promise.all([
      this.#read("cpu", failures),
      this.#read("memory", failures),
      this.#read("qemu", failures),
      this.#read("links", failures),
      this.#read("portGroups", failures),
      this.#read("switches", failures),
      this.#read("datastores", failures),
    ]);
    const settings = config.migration ?? null;
    const link = settings === null ? null : linkWith(links, settings.address);
    return {
      name: config.name,
      agentVersion: version,
      reportedAt: new Date().toISOString(),
      cpu,
      memory,
      qemu,
      migration: settings === null || link === null ? null : { address: settings.address, link },
      migrationSettings:
        settings?.also === undefined ? settings : { ...settings, alsoProblem: furtherLinks.problem },
      links,
      portGroups,
      switches,
      networksRefused: this.#sources.switches.refused,
      datastores,
      datastoreKinds: [...datastoreKinds],
      bootId: await bootId(),
      updates: { commands: config.updates.commands },
      abilities: [
        ...["relocateDisks", "cloneVm", "cloneVolumes", "importVm", "exportVm", "snapshots", "carryDisks"],
        ...["deviceModels", "images", "vxlan", "iscsiChap", "suspend", "devices", "upload"],
        ...["annotations", "editVm", "guestMemory", "cancelSuspension", "hostDevices"],
        ...["cpuTopology", "bootOrder", "balloon", "announce", "memoryHotPlug", "lunReservations"],
        ...["fencePrograms", "bonds", "linkedDisks", "moveVolumes"],
      ],
      hostDevices: hostDeviceFacts(),
      uefi: await uefiFacts(),
      tpmEmulator: await hasTpmEmulator(),
      datastoresRefused: [...hostDatastores.refused],
      vmsSetAside: setAside.all,
      portSecurityProblem: await environment.portSecurityProblem(),
      containment: await containmentFacts(config.qemu, environment.users),
      failures,
    };
  }

  async #read<Part extends keyof Parts>(part: Part, failures: HostFacts["failures"]): Promise<Parts[Part]> {
    try {
      const read: Read<Parts[Part]> = this.#parts[part];
      const value = await read();
      this.#last[part] = value;
      return value;
    } catch (error) {
      const last: Parts[Part] | undefined = this.#last[part];
      if (last === undefined) throw error;
      failures.push({ part, reason: reasonOf(error) });
      return last;
    }
  }
}
