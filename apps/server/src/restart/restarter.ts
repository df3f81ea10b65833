/**
 * Starts VMs again that died, in pools that are set to: every few seconds all VMs of such a pool are looked at. Which may
 * be started is decided in `@godwit/placement`; the planner chooses the host; the start is a task like any other, and takes the
 * VM's lease on its storage, which no host gets while another may run the VM. The restarter keeps nothing itself: what was tried
 * is in the tasks, and a server that starts goes on from there; that a restart succeeded or failed is an event, written with its task's end.
 */
import { datastoresOf, GodwitError, isEnded, type DeadVm, type TaskId, type VmView } from "@godwit/contract";
import {
  hostsThatFailed,
  judgeDeath,
  judgeLease,
  orderRestarts,
  restartTerms,
  startsAtOnce,
  usualPriority,
  type KnownLease,
  type RecentRestart,
  type RestartFacts,
  type RestartVerdict,
} from "@godwit/placement";
import { mayMove } from "@godwit/requirements";
import type { PoolRow } from "@godwit/store";
import type { Logger } from "pino";
import { readVmLease } from "../hosts/vm-lease.ts";
import type { Inventory } from "../inventory.ts";
import { fencedAt, fenceHost, fencingWays, type LivingLook } from "../fencing/fence-host.ts";
import type { HostAccess } from "../fencing/host-access.ts";
import { checkVm } from "../moves/check-vm.ts";
import type { Planner } from "../pools/planner.ts";
import { poolReports } from "../pools/pool-reports.ts";
import { Rounds } from "../rounds.ts";
import type { TaskRunner } from "../tasks/task-runner.ts";

export interface RestarterServices extends Inventory {
  tasks: Pick<TaskRunner, "start">;
  planner: Pick<Planner, "place">;
  access: HostAccess;
}

const everyMs = 5000;
const recentMs = 3_600_000;
/** Who starts them, in their tasks. */
export const restartActor = "restart";
/** Questions about leases at one time. */
const leasesAtOnce = 8;

interface DeadOfPool {
  dead: Dead[];
  starts: Start[];
  recent: RecentRestart[];
}

/** A VM that died, and what is known of it. */
interface Dead extends RestartVerdict {
  vm: VmView;
  vmId: string;
  facts: RestartFacts;
  priority: DeadVm["priority"];
}
type Start = { vmId: string; host: string; task: TaskId };
type Reports = Awaited<ReturnType<typeof poolReports>>;

export class Restarter {
  readonly #services: RestarterServices;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  /** By VM id: why it could not be placed when that was tried last. */
  readonly #unplaced = new Map<string, string>();
  /** By VM id: why its silent host was not fenced when that was tried last, and when. */
  readonly #unfenced = new Map<string, { reason: string; atMs: number }>();
  /** By pool: what goes on of that. No round waits for it: VMs that need not be fenced start meanwhile. */
  readonly #fencing = new Map<string, Promise<void>>();

  constructor(services: RestarterServices, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#restartAll(),
      (error) => {
        log.warn({ err: error }, "VMs that died could not be looked for");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  /** Starts under way go on as tasks. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await Promise.all(this.#fencing.values());
  }

  /** What becomes of the VMs of a pool that died, the most important first. */
  async look(pool: PoolRow): Promise<DeadVm[]> {
    const { dead, starts } = await this.#deadOf(pool);
    return dead.map(({ vm, vmId, priority, state, reason, waitsForLease }) => {
      const start = starts.find((one) => one.vmId === vmId);
      const told = { vm: vm.name, host: vm.host, priority };
      if (start !== undefined)
        return { ...told, state: "starting", reason: `on host ${start.host}`, task: start.task };
      const unplaced = this.#unplaced.get(vmId);
      const unfenced = waitsForLease === true ? this.#unfenced.get(vmId)?.reason : undefined;
      const because = unfenced === undefined ? reason : `${reason}; ${unfenced}`;
      if (state !== "ready") return { ...told, state, reason: because, task: null };
      return unplaced === undefined
        ? { ...told, state: "soon", reason: "it is about to be started", task: null }
        : { ...told, state: "held", reason: unplaced, task: null };
    });
  }

  async #restartAll(): Promise<void> {
    for (const pool of await this.#services.store.pools.list())
      if (pool.restartSince !== null) await this.#restart(pool);
  }

  async #restart(pool: PoolRow): Promise<void> {
    const found = await this.#deadOf(pool);
    await this.#startReady(pool, found);
    if (this.#fencing.has(pool.name) || this.#rounds.isStopped) return;
    const fencing = this.#fence(found.dead)
      .catch((error: unknown) => {
        this.#log.warn({ err: error, pool: pool.name }, "silent hosts could not be fenced");
      })
      .finally(() => this.#fencing.delete(pool.name));
    this.#fencing.set(pool.name, fencing);
  }

  async #startReady(pool: PoolRow, { dead, starts, recent }: DeadOfPool): Promise<void> {
    const ready = dead.filter(({ state }) => state === "ready");
    for (const vmId of this.#unplaced.keys())
      if (!ready.some((one) => one.vmId === vmId)) this.#unplaced.delete(vmId);
    if (ready.length === 0) return;
    const reports = await poolReports(this.#services, pool);
    const starting = [...starts];
    for (const one of ready) {
      if (this.#rounds.isStopped) return;
      const started = await this.#begin(pool, one, reports, starting, recent);
      if ("reason" in started) {
        if (this.#unplaced.get(one.vmId) !== started.reason)
          this.#log.warn({ pool: pool.name, vm: one.vm.name, reason: started.reason }, "VM not restarted");
        this.#unplaced.set(one.vmId, started.reason);
        continue;
      }
      this.#unplaced.delete(one.vmId);
      starting.push(started);
    }
  }

  /** VMs of the pool that died, in their order, and what is done about them already. */
  async #deadOf(pool: PoolRow): Promise<DeadOfPool> {
    const { store, hosts } = this.#services;
    const nowMs = Date.now();
    const [vms, unfinished, recent, rules] = await Promise.all([
      store.vms.list(),
      store.tasks.unfinished(),
      store.tasks.recentStarts(restartActor, new Date(nowMs - recentMs)),
      store.poolRules.list(pool.name),
    ]);
    const terms = restartTerms(rules);
    const under = unfinished.filter((task) => !isEnded(task));
    const busy = new Set(under.map(({ subject }) => subject.id));
    const candidates = vms.flatMap((vm): Dead[] => {
      if (!pool.hosts.includes(vm.host)) return [];
      const priority = terms.get(vm.id)?.priority ?? usualPriority;
      const facts: RestartFacts = {
        ...{ vm, host: vm.host, nowMs, recent, priority, isBusy: busy.has(vm.id) },
        home: hosts.isUp(vm.host) ? "connected" : "silent",
        sinceMs: pool.restartSince?.getTime() ?? nowMs,
      };
      const verdict = judgeDeath(facts);
      return verdict === null ? [] : [{ ...verdict, vm, vmId: vm.id, facts, priority }];
    });
    await this.#askLeases(candidates);
    return {
      dead: orderRestarts(candidates, rules),
      starts: under.flatMap((task) =>
        task.kind === "vm.start" && task.actor === restartActor
          ? [{ vmId: task.subject.id, host: task.request.host, task: task.id }]
          : [],
      ),
      recent,
    };
  }

  /** Of those that could be started by all that the server knows. */
  async #askLeases(candidates: Dead[]): Promise<void> {
    const waiting = candidates.filter(({ state }) => state === "ready").values();
    const askOneByOne = async () => {
      for (const one of waiting) Object.assign(one, judgeLease(one.facts, await this.#leaseOf(one.vm)));
    };
    await Promise.all(Array.from({ length: leasesAtOnce }, askOneByOne));
  }

  /** Of those that wait only for their host's lease: that host is kept from writing, where their disks allow it. The next round starts them. */
  async #fence(dead: readonly Dead[]): Promise<void> {
    const waiting = dead.filter(({ waitsForLease }) => waitsForLease === true);
    for (const vmId of this.#unfenced.keys())
      if (!waiting.some((one) => one.vmId === vmId)) this.#unfenced.delete(vmId);
    if (waiting.length === 0) return;
    const ways = await fencingWays(this.#services.store);
    const able = waiting.filter(({ vm }) => fencedAt(vm, ways) !== null);
    // The most important first, and before those that were tried already. The next come in the next round: those that are fenced start before that.
    const triedMs = ({ vm }: Dead) => this.#unfenced.get(vm.id)?.atMs ?? 0;
    const next = able.toSorted((a, b) => triedMs(a) - triedMs(b)).slice(0, leasesAtOnce);
    const living: LivingLook = new Map();
    await Promise.all(next.map(({ vm }) => this.#fenceOne(vm, living)));
  }

  async #fenceOne(vm: VmView, living: LivingLook): Promise<void> {
    try {
      await fenceHost({ ...this.#services, stopped: this.#rounds.stopped }, vm, vm.host, living);
      this.#log.warn({ vm: vm.name, host: vm.host }, "a silent host was fenced");
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      const reason = error.message.replace(/\.$/, "");
      if (this.#unfenced.get(vm.id)?.reason !== reason)
        this.#log.warn({ vm: vm.name, host: vm.host, reason }, "a silent host was not fenced");
      this.#unfenced.set(vm.id, { reason, atMs: performance.now() });
    }
  }

  async #leaseOf(vm: VmView): Promise<KnownLease> {
    const { store, hosts } = this.#services;
    try {
      return (await readVmLease(store, hosts, vm, hosts.isUp(vm.host) ? null : vm.host)).lease;
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      return { unread: error.message.replace(/\.$/, "") };
    }
  }

  async #begin(
    pool: PoolRow,
    { vm }: Dead,
    reports: Reports,
    starting: readonly Start[],
    recent: readonly RecentRestart[],
  ): Promise<Start | { reason: string }> {
    try {
      const { host, against } = await this.#services.planner.place(pool.name, {
        reports: withStarts(reports, vm, starting, hostsThatFailed(vm.id, recent)),
        vm: { ...vm, state: "stopped" },
      });
      if (host === null) {
        await this.#services.store.poolPolicies.short(pool.name, `no host has room to restart VM ${vm.name}`);
        return { reason: `no host has room for it: ${against.join("; ")}` };
      }
      if (host !== vm.host) {
        const { findings } = await checkVm(this.#services, { ...vm, state: "lost" }, host);
        const [first] = findings.filter(({ severity }) => severity === "error");
        if (!mayMove(findings) && first !== undefined) return { reason: first.message.replace(/\.$/, "") };
      }
      const restart = { pool: pool.name, from: vm.host };
      const request = { vm: { id: vm.id, name: vm.name }, host, restart };
      const task = await this.#services.tasks.start({ kind: "vm.start", request }, restartActor);
      this.#log.warn(
        { pool: pool.name, vm: vm.name, from: vm.host, to: host, task: task.id },
        "VM restarted",
      );
      return { vmId: vm.id, host, task: task.id };
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      return { reason: error.message.replace(/\.$/, "") };
    }
  }
}

/**
 * The pool as it will be: VMs that are being started count where they start; hosts that start as many as they bear, that could not start
 * this VM, or whose leases are not available, take none.
 */
function withStarts(
  reports: Reports,
  vm: VmView,
  starting: readonly Start[],
  failed: ReadonlySet<string>,
): Reports {
  const { datastore } = vm.config;
  const takesNone = ({ name, load }: Reports["hosts"][number]): boolean => {
    const leases = load?.datastores.find((one) => one.name === datastore)?.leases;
    const needed = datastoresOf(vm.config);
    const lacksOne = load?.datastores.some(({ name: of, reason }) => reason !== null && needed.includes(of));
    const count = starting.filter(({ host }) => host === name).length;
    return (
      failed.has(name) ||
      count >= startsAtOnce ||
      (leases != null && leases.state !== "joined") ||
      lacksOne === true
    );
  };
  return {
    ...reports,
    hosts: reports.hosts.map((host) => (takesNone(host) ? { ...host, maintenance: "on" as const } : host)),
    vms: reports.vms.map((other) => {
      const start = starting.find(({ vmId }) => vmId === other.id);
      return start === undefined ? other : { ...other, host: start.host, state: "running" as const };
    }),
  };
}
