/**
 * Resets VMs whose guests hang, in pools that are set to, or by a rule: every few seconds the hosts are asked what they see of these
 * guests. Which is reset is decided in `@godwit/placement`; the reset is a task like any other, and the host looks once more before
 * it. The keeper keeps nothing itself: what is seen is kept by the hosts, what was reset is in the tasks.
 */
import {
  GodwitError,
  usualGuestReset,
  type GuestResetPolicy,
  type GuestSigns,
  type VmView,
} from "@godwit/contract";
import { guestPolicies, judgeGuest } from "@godwit/placement";
import type { PoolRow } from "@godwit/store";
import type { Logger } from "pino";
import type { Inventory } from "../inventory.ts";
import { Rounds } from "../rounds.ts";
import type { TaskRunner } from "../tasks/task-runner.ts";

export interface GuestKeeperServices extends Inventory {
  tasks: Pick<TaskRunner, "start">;
}

const everyMs = 5000;
const recentMs = 3_600_000;
/** Who resets them, in their tasks. */
const guestActor = "guests";

interface Watched {
  pool: string;
  vm: VmView;
  policy: GuestResetPolicy;
}

export class GuestKeeper {
  readonly #services: GuestKeeperServices;
  readonly #log: Logger;
  readonly #rounds: Rounds;
  /** VMs of which it was told that they are not reset any more. */
  readonly #left = new Set<string>();
  /** Hosts of which it was told that they cannot be asked. */
  readonly #deaf = new Set<string>();

  constructor(services: GuestKeeperServices, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#lookAtAll(),
      (error) => {
        log.warn({ err: error }, "whether guests hang could not be looked at");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  /** Resets under way go on as tasks. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
  }

  async #lookAtAll(): Promise<void> {
    const watched = await this.#watched();
    if (watched.length === 0) return;
    const { store } = this.#services;
    const [signs, unfinished, resets] = await Promise.all([
      this.#signsOf(watched),
      store.tasks.unfinished(),
      store.tasks.recentResets(new Date(Date.now() - recentMs)),
    ]);
    const busy = new Set<string>(unfinished.map(({ subject }) => subject.id));
    for (const one of watched) {
      const { vm, policy } = one;
      const verdict = judgeGuest({
        ...{ vm, policy, isBusy: busy.has(vm.id), signs: signs.get(vm.id) ?? null },
        resets: resets.get(vm.id) ?? 0,
      });
      if (verdict.do !== "left") this.#left.delete(vm.id);
      if (verdict.do === "reset") await this.#reset(one, verdict.silentSeconds);
      if (verdict.do !== "left" || this.#left.has(vm.id)) continue;
      this.#left.add(vm.id);
      this.#log.warn({ vm: vm.name, resets: policy.mostResets }, "a guest hangs, and was reset often enough");
    }
  }

  async #watched(): Promise<Watched[]> {
    const { store } = this.#services;
    const pools = await store.pools.list();
    const vms = pools.length === 0 ? [] : await store.vms.list();
    const all = await Promise.all(pools.map((pool) => this.#watchedIn(pool, vms)));
    return all.flat();
  }

  async #watchedIn(pool: PoolRow, all: readonly VmView[]): Promise<Watched[]> {
    const rules = await this.#services.store.poolRules.list(pool.name);
    const vms = all.filter(
      ({ host, state, config }) =>
        state === "running" && config.guestAgent === true && pool.hosts.includes(host),
    );
    const policies = guestPolicies(vms, rules, pool.guestReset, usualGuestReset);
    return vms.flatMap((vm) => {
      const policy = policies.get(vm.id);
      return policy === undefined ? [] : [{ pool: pool.name, vm, policy }];
    });
  }

  /** By VM id. A host that cannot be asked, or that is of an earlier version, tells nothing. */
  async #signsOf(watched: readonly Watched[]): Promise<Map<string, GuestSigns>> {
    const { hosts } = this.#services;
    const byHost = Map.groupBy(watched, ({ vm }) => vm.host);
    const answers = await Promise.all(
      [...byHost].map(async ([host, guests]) => {
        if (!hosts.isUp(host)) return [];
        try {
          const body = { vms: guests.map(({ vm }) => vm.id) };
          const answer = await hosts.of(host).agent.call("guestsWatch", { body });
          this.#deaf.delete(host);
          return answer.guests;
        } catch (error) {
          if (!GodwitError.is(error)) throw error;
          if (!this.#deaf.has(host)) this.#log.warn({ err: error, host }, "a host does not watch its guests");
          this.#deaf.add(host);
          return [];
        }
      }),
    );
    return new Map(answers.flat().map((signs) => [signs.id, signs]));
  }

  async #reset({ pool, vm }: Watched, silentSeconds: number): Promise<void> {
    try {
      const request = { vm: { id: vm.id, name: vm.name }, host: vm.host, hang: { pool, silentSeconds } };
      const task = await this.#services.tasks.start({ kind: "vm.reset", request }, guestActor);
      this.#log.warn(
        { pool, vm: vm.name, host: vm.host, silentSeconds, task: task.id },
        "a guest hangs: its VM is reset",
      );
    } catch (error) {
      if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
      this.#log.warn({ err: error, vm: vm.name }, "a VM whose guest hangs could not be reset");
    }
  }
}
