/**
 * Balances the pools that are set to: a round every minute, in which the pool is planned as it is now and the plan is
 * kept; where the automation is full its moves are made, one after the other, each only if it still holds: it is checked as an
 * operator's, and made as a task like any other. A failed move ends the round, freezes its VM and is told by an event. The
 * balancer keeps nothing itself: what a VM's last move was is in the tasks, and a server that starts goes on from there. One
 * that was superseded can enter no task.
 */
import { gzipSync } from "node:zlib";
import { GodwitError, type PoolBalance, type RoundMove, type Task } from "@godwit/contract";
import {
  defaultOptions,
  frozenVms,
  nextOfRound,
  packedPool,
  restSkipped,
  settledSince,
  whyNot,
  type PlanOptions,
} from "@godwit/placement";
import type { PoolRoundRow, PoolRow } from "@godwit/store";
import type { Logger } from "pino";
import { checkVm } from "../moves/check-vm.ts";
import { moveRequest } from "../moves/move-request.ts";
import type { Inventory } from "../inventory.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import type { Planner } from "../pools/planner.ts";
import { poolReports } from "../pools/pool-reports.ts";
import { Rounds } from "../rounds.ts";
import type { TaskRunner } from "../tasks/task-runner.ts";

export interface BalancerServices extends Inventory {
  tasks: Pick<TaskRunner, "start" | "ended">;
  planner: Pick<Planner, "plan">;
}

const everyMs = 60_000;
/** More wait for the next round, which knows more. */
const mostMoves = 16;
export const recentMs = 3_600_000;

export class Balancer {
  readonly #services: BalancerServices;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  /** Pools whose moves are being made. */
  readonly #applying = new Map<string, Promise<void>>();
  readonly #rounds: Rounds;

  constructor(services: BalancerServices, log: Logger) {
    this.#services = services;
    this.#log = log;
    this.#rounds = new Rounds(
      everyMs,
      () => this.#balanceAll(),
      (error) => {
        log.warn({ err: error }, "pools could not be balanced");
      },
    );
  }

  start(): void {
    this.#rounds.start();
  }

  /** Moves under way go on as tasks. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.allSettled([this.#rounds.stop(), ...this.#applying.values()]);
  }

  /** Plans the pool as it is, and keeps the plan. @throws what planning throws */
  async round(pool: PoolRow, balance: PoolBalance): Promise<PoolRoundRow> {
    const { store, planner } = this.#services;
    const nowMs = Date.now();
    const [known, recent] = await Promise.all([
      poolReports(this.#services, pool),
      store.tasks.recentMoves(new Date(nowMs - recentMs)),
    ]);
    const options: PlanOptions = {
      ...defaultOptions,
      ...{
        goal: balance.goal,
        threshold: balance.threshold as PlanOptions["threshold"],
        maxMoves: mostMoves,
      },
    };
    const reports = {
      ...known,
      // Who empties a host moves its VMs: here it only takes none.
      hosts: known.hosts.map((host) =>
        host.maintenance === "entering" ? { ...host, maintenance: "on" as const } : host,
      ),
      movedBefore: settledSince(recent, nowMs),
      frozen: new Set(frozenVms(recent, nowMs).keys()),
    };
    const answer = await planner.plan(pool.name, {
      ...{ reports, options, without: [], explain: null, withPool: true },
    });
    const moves = answer.plan.moves.map((move): RoundMove => ({
      ...move,
      state: "recommended",
      detail: null,
      task: null,
    }));
    const inputs = gzipSync(
      JSON.stringify({ options, pool: answer.pool === null ? null : packedPool(answer.pool) }),
    );
    const entered = { pool: pool.name, balance, plan: answer.plan, moves, unmeasured: answer.unmeasured };
    const number = await store.poolRounds.enter(entered, inputs);
    return { ...entered, number, at: new Date(nowMs) };
  }

  /**
   * Begins to make the moves of a round.
   * @param isWanted asked before each move
   * @throws POOL_BALANCING while those of another round are made
   */
  apply(round: PoolRoundRow, isWanted: () => Promise<boolean>): void {
    const { pool } = round;
    if (this.#applying.has(pool)) throw GodwitError.of("POOL_BALANCING", { pool });
    const applying = this.#make(round, isWanted)
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#log.warn({ err: error, pool }, "the round's moves were not all made");
      })
      .finally(() => this.#applying.delete(pool));
    this.#applying.set(pool, applying);
  }

  async #balanceAll(): Promise<void> {
    for (const [name, balance] of await this.#services.store.poolRounds.balances())
      if (balance.automation !== "off" && !this.#applying.has(name)) await this.#balance(name, balance);
  }

  async #balance(name: string, balance: PoolBalance): Promise<void> {
    try {
      const round = await this.round(await this.#services.store.pools.show(name), balance);
      if (balance.automation !== "full" || round.moves.length === 0 || this.#stop.signal.aborted) return;
      this.apply(round, async () => {
        const now = (await this.#services.store.poolRounds.balances()).get(name);
        return now?.automation === "full";
      });
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#log.warn({ err: error, pool: name }, "the pool was not planned");
    }
  }

  async #make(round: PoolRoundRow, isWanted: () => Promise<boolean>): Promise<void> {
    const { store } = this.#services;
    const { pool, number } = round;
    let { moves } = round;
    const put = async (index: number, change: Partial<RoundMove>) => {
      moves = moves.map((move, at) => (at === index ? { ...move, ...change } : move));
      await store.poolRounds.setMoves(pool, number, moves);
    };
    for (let next = nextOfRound(moves); next !== null; next = nextOfRound(moves)) {
      this.#stop.signal.throwIfAborted();
      if (!(await isWanted())) break;
      const move = moves[next] as RoundMove;
      const begun = await this.#begin(pool, move);
      if ("reason" in begun) {
        await put(next, { state: "skipped", detail: begun.reason });
        continue;
      }
      await put(next, { state: "running", task: begun.task.id });
      const ended = await this.#services.tasks.ended(begun.task.id);
      if (ended.state === "succeeded") {
        await put(next, { state: "done" });
        continue;
      }
      const reason = ended.error?.detail ?? `its task was ${ended.state}`;
      await put(next, { state: "failed", detail: reason });
      this.#log.warn({ pool, vm: move.vm, task: ended.id, reason }, "a move of the balancer failed");
      await store.poolRounds.moveFailed(pool, { vm: move.vm, to: move.to, task: ended.id, reason });
    }
    const rest = restSkipped(moves, "the round ended before it");
    if (rest.some((move, index) => move !== moves[index]))
      await store.poolRounds.setMoves(pool, number, rest);
  }

  /** Looks at the world again, and enters the move as a task if it still holds. */
  async #begin(pool: string, move: RoundMove): Promise<{ task: Task } | { reason: string }> {
    const { store, tasks } = this.#services;
    try {
      const [row, vm, unfinished, recent] = await Promise.all([
        store.pools.show(pool),
        store.vms.show(move.vm),
        store.tasks.unfinished(),
        store.tasks.recentMoves(new Date(Date.now() - recentMs)),
      ]);
      const moment = {
        ...{ vm, hosts: row.hosts, isBusy: unfinished.some(({ subject }) => subject.id === vm.id) },
        isFrozen: frozenVms(recent, Date.now()).has(vm.id),
      };
      const early = whyNot(move, { ...moment, refusals: [] });
      if (early !== null) return { reason: early };
      const { findings, runtime, postcopyRecovers } = await checkVm(this.#services, vm, move.to);
      const refusals = [...findings, ...(await ruleFindings(this.#services, vm, move.to))].flatMap(
        ({ severity, message }) => (severity === "error" ? [message] : []),
      );
      const reason = whyNot(move, { ...moment, refusals });
      if (reason !== null) return { reason };
      return { task: await tasks.start(moveRequest(vm, runtime, move.to, {}, postcopyRecovers), "balancer") };
    } catch (error) {
      if (GodwitError.is(error) && error.code !== "DATABASE_UNAVAILABLE") return { reason: error.message };
      throw error;
    }
  }
}
