/** What this host does now, one file a part. A part that cannot be read is null, with the reason. */
import type { HostLoad, VmLoad } from "@godwit/contract";
import { portGroupLoad } from "@godwit/network";
import type { AgentConfig } from "../config.ts";
import type { Processes } from "../qemu/processes.ts";
import { cpuLoad } from "./cpu.ts";
import type { Datastores } from "./datastores.ts";
import { GuestMemory } from "./guest-memory.ts";
import type { DepartedVms } from "../networks/departed-vms.ts";
import type { HostNetworks } from "../networks/host-networks.ts";
import { reasonOf } from "../reason.ts";
import type { Health } from "../health/health.ts";
import { linkLoad } from "./links.ts";
import type { GuestWatchers } from "../vms/guest-watchers.ts";
import type { MemoryAdmission } from "../vms/memory-admission.ts";
import { Rates } from "./rates.ts";
import { VmCounterReader } from "./vm-counters.ts";
import { vmLoads } from "./vms.ts";

export interface LoadSources {
  config: Pick<AgentConfig, "name">;
  networks: Pick<HostNetworks, "all">;
  datastores: Datastores;
  processes: Pick<Processes, "runtimes" | "of" | "present" | "stateOf">;
  memory: Pick<MemoryAdmission, "load">;
  health: Pick<Health, "now">;
  watchers: Pick<GuestWatchers, "silentSinceMs">;
  departed: Pick<DepartedVms, "unlearned">;
}

export class HostLoadReader {
  readonly #sources: LoadSources;
  readonly #rates = new Rates();
  readonly #vmRates = new Rates();
  readonly #vmCounters = new VmCounterReader();
  readonly #guestMemory: GuestMemory;

  constructor(sources: LoadSources) {
    this.#sources = sources;
    this.#guestMemory = new GuestMemory(sources.processes);
  }

  async read(): Promise<HostLoad> {
    const { config, networks, datastores, processes, memory: admission, health, watchers } = this.#sources;
    const failures: HostLoad["failures"] = [];
    const part = async <T>(name: string, read: () => T | Promise<T>): Promise<T | null> => {
      try {
        return await read();
      } catch (error) {
        failures.push({ part: name, reason: reasonOf(error) });
        return null;
      }
    };
    const atMs = performance.now();
    const [memory, cpu, links, portGroups, stores] = await Promise.all([
      part("memory", () => admission.load()),
      part("cpu", () => cpuLoad(this.#rates, atMs)),
      part("links", () => linkLoad(this.#rates, performance.now())),
      part("portGroups", () => portGroupLoad(networks.all)),
      datastores.load(),
      this.#guestMemory.refresh(),
    ]);
    return {
      name: config.name,
      reportedAt: new Date().toISOString(),
      memory,
      cpu,
      links,
      portGroups,
      datastores: stores,
      ...(health.now === null ? {} : { health: health.now }),
      // Last, so that what is told of VMs is as new as the report.
      vms: vmLoads(processes.runtimes, this.#vmRates, this.#vmCounters, performance.now()).map((vm) => ({
        ...vm,
        ...silence(watchers.silentSinceMs(vm.id)),
        ...this.#guestMemory.of(vm.id),
      })),
      ...unlearnedMacs(this.#sources.departed),
      failures,
    };
  }
}

const unlearnedMacs = ({ unlearned }: LoadSources["departed"]): Pick<HostLoad, "unlearnedMacs"> =>
  unlearned.length === 0 ? {} : { unlearnedMacs: unlearned };

/** @param sinceMs of the clock that is never set */
const silence = (sinceMs: number | null | undefined): Pick<VmLoad, "guestSilentSince"> =>
  sinceMs === undefined
    ? {}
    : {
        guestSilentSince: sinceMs === null ? null : new Date(performance.timeOrigin + sinceMs).toISOString(),
      };
