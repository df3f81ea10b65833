/**
 * Has hosts weight the CPUs of their VMs by the resource pools and shares of their pool. Every half minute each host is sent all weights: a VM
 * that came, was started or left, and a rule that was made or removed, is made good by the next round. Nothing is kept.
 */
import { GodwitError, hasProcess, type VmLoad, type VmView } from "@godwit/contract";
import { cpuWeights } from "@godwit/placement";
import type { HostRow } from "@godwit/store";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import { Rounds } from "../rounds.ts";
import { allRules } from "./pool-reports.ts";

const everyMs = 30_000;
const answerLimitMs = 20_000;

export class CpuWeightOrders {
  readonly #services: Inventory;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  /** Hosts that have been told last that no VM has a weight: as long as that is so they need not be told again. */
  readonly #plain = new Set<string>();
  /** What of each host was told last to have failed. */
  readonly #failed = new Map<string, string>();

  constructor(services: Inventory, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.tellAll(),
      (error) => {
        log.warn({ err: error }, "the weights of VMs could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  /** A round. */
  async tellAll(): Promise<void> {
    const { store, hosts } = this.#services;
    const [all, vms, rules] = await Promise.all([store.hosts.list(), store.vms.list(), allRules(store)]);
    await Promise.all(
      all
        .filter(({ name, facts }) => hosts.isUp(name) && facts?.containment?.cpuWeightsProblem === null)
        .map(async (host) => {
          const own = vms.filter((vm) => vm.host === host.name && hasProcess(vm));
          const ofPool = rules.filter(({ pool }) => pool === host.pool);
          await this.#tell(host, own, ofPool);
        }),
    );
  }

  async #tell(
    { name, facts, load }: HostRow,
    own: readonly VmView[],
    rules: Parameters<typeof cpuWeights>[2],
  ): Promise<void> {
    const used = new Map(load?.vms.map((vm) => [vm.id, vm]));
    const weighted = own.map(({ id, config: { vcpus } }) => ({
      id,
      vcpus,
      demandCpus: demandOf(used.get(id)),
    }));
    const weights = cpuWeights(weighted, facts?.cpu.logicalCpus ?? 1, rules);
    if (weights.size === 0 && this.#plain.has(name)) return;
    const vms = own.flatMap(({ id }) => {
      const weight = weights.get(id);
      return weight === undefined ? [] : [{ id, weight }];
    });
    const { agent } = this.#services.hosts.of(name);
    try {
      const { failed } = await agent.call("cpuWeightsPut", { body: { vms } }, { timeoutMs: answerLimitMs });
      if (weights.size === 0 && failed.length === 0) this.#plain.add(name);
      else this.#plain.delete(name);
      this.#warn(name, failed.map(({ id, reason }) => `${id}: ${reason}`).join("; "));
    } catch (error) {
      if (!GodwitError.is(error)) throw error;
      this.#plain.delete(name);
      this.#warn(name, error.message);
    }
  }

  /** Once for each reason. */
  #warn(host: string, reason: string): void {
    if ((this.#failed.get(host) ?? "") === reason) return;
    this.#failed.set(host, reason);
    if (reason !== "") this.#log.warn({ host, reason }, "the weights of VMs could not be set");
  }
}

/** What it used and what it waited for; null: not known. */
export const demandOf = (vm: VmLoad | undefined): number | null =>
  vm?.usedCpus == null || vm.readyCpus == null ? null : vm.usedCpus + vm.readyCpus;
