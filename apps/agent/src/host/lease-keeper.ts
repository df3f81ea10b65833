/**
 * Keeps this host's leases in line with what runs here, outside of moves: makes up for every release or
 * conversion that a crash or an absent lease service prevented, and takes the lease of a VM that runs
 * here and has none (a server that lost its database).
 */
import { leaseUpkeep } from "@godwit/migration";
import type { Logger } from "pino";
import type { Claims } from "../vms/claims.ts";
import type { Processes } from "../vms/processes.ts";
import type { Leases, VmRef } from "./leases.ts";

const everyMs = 3000;

export class LeaseKeeper {
  readonly #leases: Leases;
  readonly #processes: Processes;
  readonly #claims: Claims;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(leases: Leases, processes: Processes, claims: Claims, log: Logger) {
    this.#leases = leases;
    this.#processes = processes;
    this.#claims = claims;
    this.#log = log;
  }

  /** Nobody tells when the lease service is back or a lease has become free: it is asked now and then. */
  start(): void {
    this.#timer = setTimeout(() => {
      void this.keep()
        .catch((error: unknown) => {
          this.#log.debug({ err: error }, "leases not looked after");
        })
        .finally(() => {
          if (!this.#stopped) this.start();
        });
    }, everyMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async keep(): Promise<void> {
    const own = await this.#leases.own();
    const present = new Map(this.#processes.present.map((process) => [process.vmId, process.spec.vm.name]));
    const actions = leaseUpkeep(own, new Set(present.keys()), this.#claims.claimed);
    for (const { do: action, vmId } of actions) {
      const vm: VmRef = { id: vmId, name: present.get(vmId) ?? vmId.slice(0, 8) };
      using claim = this.#claims.tryShort(vmId, "its lease is looked after");
      if (claim === null) continue;
      // What runs here may have changed since the leases were read.
      const hasProcess = this.#processes.of(vmId) !== undefined;
      if (action === "release" && !hasProcess) await this.#leases.release(vm);
      if (action === "exclusive") await this.#leases.convert(vm, "EX");
    }
    for (const [vmId, name] of present) {
      if (own.some((lease) => lease.vmId === vmId) || this.#processes.stateOf(vmId) !== "running") continue;
      using claim = this.#claims.tryShort(vmId, "its lease is looked after");
      if (claim === null) continue;
      const answer = await this.#leases.acquire({ id: vmId, name }, "EX");
      if (answer.kind === "refused" && answer.held) {
        this.#log.error(
          { vm: name, err: answer.error },
          "this VM runs here, but another host holds its lease",
        );
      }
    }
  }
}
