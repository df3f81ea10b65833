/**
 * Has hosts limit the CPUs of VMs by the rules and resource pools of their pool. Every half minute, and at once when a rule is made or removed, each
 * host of a pool is sent the limits of all VMs of the pool, also of those that are elsewhere: one that is started there, or moves there, has its
 * limit from its first instruction on. Nothing is kept here.
 */
import { GodwitError, hasProcess, type VmDetails, type VmView } from "@godwit/contract";
import { cpuLimits, type PoolRule } from "@godwit/placement";
import type { HostRow } from "@godwit/store";
import { within } from "@godwit/system";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import { Rounds } from "../rounds.ts";
import { demandOf } from "./cpu-weights.ts";
import { allRules } from "./pool-reports.ts";

const everyMs = 30_000;
const answerLimitMs = 20_000;
const waitLimitMs = 5000;
/** Of one order. */
const mostVms = 10_000;
/** A VM that was being started with a limit when the host took the order that lifts it runs by then: QEMU has three minutes. */
const launchedWithinMs = 300_000;

interface World {
  hosts: readonly HostRow[];
  vms: readonly VmView[];
  rules: readonly PoolRule[];
}

export class CpuLimitOrders {
  readonly #services: Inventory;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  readonly #nowMs: () => number;
  /** Hosts that were sent last that no VM has a limit, and since when: as long as that is so they need not be sent it for ever. */
  readonly #plain = new Map<string, number>();
  /** What could not be limited, by the host: VMs, and why. */
  readonly #failed = new Map<string, ReadonlyMap<string, string>>();
  /** Rounds are made one after the other: an older one never overtakes a newer one. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param nowMs by a clock that is never set */
  constructor(services: Inventory, log: Logger, nowMs: () => number = () => performance.now()) {
    this.#services = services;
    this.#log = log;
    this.#nowMs = nowMs;
    this.#rounds = new Rounds(
      everyMs,
      () => this.tellAll(),
      (error) => {
        log.warn({ err: error }, "the CPU limits of VMs could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  /** A round, by the rules as they are now. */
  async tellAll(): Promise<void> {
    const done = this.#last.then(() => this.#round());
    this.#last = done.catch(() => undefined);
    await done;
  }

  /** A rule was made or removed: a round that is not waited for longer than a caller waits. What a host does not take now it is sent with the next one. */
  async soon(): Promise<void> {
    const round = this.tellAll().catch((error: unknown) => {
      this.#log.warn({ err: error }, "the CPU limits of VMs could not be looked at");
    });
    await within(round, waitLimitMs);
  }

  /** What a VM gets at most on its host, and whether that is enforced. */
  async of({ id, host }: Pick<VmView, "id" | "host">): Promise<VmDetails["cpuLimit"]> {
    const world = await this.#world();
    const row = world.hosts.find(({ name }) => name === host);
    const cpus = limitsIn(world, row?.pool ?? null).get(id);
    if (row === undefined || cpus === undefined) return null;
    const away = this.#services.hosts.isUp(host) ? null : "the server does not reach the host now";
    return { cpus, problem: problemOf(row) ?? away ?? this.#failed.get(host)?.get(id) ?? null };
  }

  async #world(): Promise<World> {
    const { store } = this.#services;
    const rules = await allRules(store);
    const [hosts, vms] = await Promise.all([store.hosts.list(), store.vms.list()]);
    return { hosts, vms, rules };
  }

  async #round(): Promise<void> {
    const world = await this.#world();
    const pools = new Map(
      [...new Set(world.hosts.map(({ pool }) => pool))].map((pool) => [pool, limitsIn(world, pool)]),
    );
    await Promise.all(
      world.hosts
        .filter((host) => this.#services.hosts.isUp(host.name) && problemOf(host) === null)
        .map((host) => this.#tell(host.name, pools.get(host.pool) ?? new Map<string, number>(), world.vms)),
    );
  }

  async #tell(host: string, limits: ReadonlyMap<string, number>, all: readonly VmView[]): Promise<void> {
    const plainSinceMs = this.#plain.get(host) ?? this.#nowMs();
    if (limits.size === 0 && this.#nowMs() - plainSinceMs > launchedWithinMs) return;
    const limited = all.flatMap(({ id, host: on }) => {
      const cpus = limits.get(id);
      return cpus === undefined ? [] : [{ id, cpus, isHere: on === host }];
    });
    const vms = [...limited.filter(({ isHere }) => isHere), ...limited.filter(({ isHere }) => !isHere)]
      .slice(0, mostVms)
      .map(({ id, cpus }) => ({ id, cpus }));
    try {
      // It may have been removed just now.
      const { agent } = this.#services.hosts.of(host);
      const { failed } = await agent.call("cpuLimitsPut", { body: { vms } }, { timeoutMs: answerLimitMs });
      if (limits.size === 0 && failed.length === 0) this.#plain.set(host, plainSinceMs);
      else this.#plain.delete(host);
      this.#note(host, new Map(failed.map(({ id, reason }) => [id, reason])));
    } catch (error) {
      if (!GodwitError.is(error)) throw error;
      this.#plain.delete(host);
      this.#note(host, new Map(vms.map(({ id }) => [id, `${host} did not take it: ${error.message}`])));
    }
  }

  /** Each reason is logged once. */
  #note(host: string, failed: ReadonlyMap<string, string>): void {
    const text = (of: ReadonlyMap<string, string>) =>
      [...of].map(([id, reason]) => `${id}: ${reason}`).join("; ");
    const reason = text(failed);
    if (reason !== "" && reason !== text(this.#failed.get(host) ?? new Map()))
      this.#log.warn({ host, reason }, "the CPUs of VMs could not be limited");
    this.#failed.set(host, failed);
  }
}

/** Why a host limits no VM's CPUs, the end of a sentence; null: it does. */
function problemOf({ facts }: Pick<HostRow, "facts">): string | null {
  if (facts === null) return "it has not reported what it can do yet";
  const problem = facts.containment?.cpuLimitsProblem;
  return problem === undefined ? "its agent is of an earlier version" : problem;
}

/** Of the VMs on the hosts of a pool. @param pool null: of none, where nothing is limited */
function limitsIn({ hosts, vms, rules }: World, pool: string | null): Map<string, number> {
  const ofPool = rules.filter((rule) => rule.pool === pool);
  if (pool === null || ofPool.length === 0) return new Map();
  const own = hosts.filter((host) => host.pool === pool);
  const names = new Set(own.map(({ name }) => name));
  const used = new Map(own.flatMap(({ load }) => load?.vms ?? []).map((vm) => [vm.id, vm]));
  return cpuLimits(
    vms
      .filter(({ host }) => names.has(host))
      .map((vm) => ({
        ...{ id: vm.id, vcpus: vm.config.vcpus, runs: hasProcess(vm) },
        demandCpus: demandOf(used.get(vm.id)),
      })),
    ofPool,
  );
}
