/**
 * The decisions of a pool that balances itself: which VMs are left alone, which move of a round comes next, and whether it
 * still holds when it is to begin. A move that failed ends its round: the next one is planned with what is known then.
 */
import type { RoundMove, TaskId, VmView } from "@godwit/contract";
import type { Pool, PoolVm } from "./plan/pool.ts";

/** A move that ended within the last hour. */
export interface RecentMove {
  vmId: string;
  task: TaskId;
  endedAtMs: number;
  failed: boolean;
}

/** A VM whose move failed is not tried again for so long. */
export const freezeSeconds = 1800;

/** By VM id: seconds since its last move or attempt. */
export function settledSince(recent: readonly RecentMove[], nowMs: number): Map<string, number> {
  const since = new Map<string, number>();
  for (const { vmId, endedAtMs } of recent) {
    const seconds = Math.max(0, (nowMs - endedAtMs) / 1000);
    since.set(vmId, Math.min(seconds, since.get(vmId) ?? Infinity));
  }
  return since;
}

/** By VM id: until when it is frozen, and by which task's failure. */
export function frozenVms(
  recent: readonly RecentMove[],
  nowMs: number,
): Map<string, { untilMs: number; task: TaskId }> {
  const frozen = new Map<string, { untilMs: number; task: TaskId }>();
  for (const { vmId, endedAtMs, failed, task } of recent) {
    const untilMs = endedAtMs + freezeSeconds * 1000;
    if (!failed || untilMs <= nowMs || untilMs <= (frozen.get(vmId)?.untilMs ?? 0)) continue;
    frozen.set(vmId, { untilMs, task });
  }
  return frozen;
}

/** The first that may begin; null: none is left, or all wait for one that was not made. */
export function nextOfRound(moves: readonly RoundMove[]): number | null {
  if (moves.some(({ state }) => state === "failed" || state === "running")) return null;
  const next = moves.findIndex(
    ({ state, after }) => state === "recommended" && after.every((one) => moves[one]?.state === "done"),
  );
  return next < 0 ? null : next;
}

/** Those that were not begun, when a round is over. */
export const restSkipped = (moves: readonly RoundMove[], reason: string): RoundMove[] =>
  moves.map((move) => (move.state === "recommended" ? { ...move, state: "skipped", detail: reason } : move));

/** What is known when a move is to begin. */
export interface MoveMoment {
  vm: Pick<VmView, "name" | "host" | "state"> | null;
  /** Hosts of the pool now. */
  hosts: readonly string[];
  isBusy: boolean;
  isFrozen: boolean;
  /** What it would be refused for. */
  refusals: readonly string[];
}

/** Why a planned move is not begun, as a part of a sentence; null: it still holds. */
export function whyNot({ from, to }: RoundMove, moment: MoveMoment): string | null {
  const { vm, hosts, isBusy, isFrozen, refusals } = moment;
  if (vm === null) return "the VM is no more";
  if (vm.host !== from) return `it is on ${vm.host} by now`;
  if (vm.state !== "running") return `it is ${vm.state}`;
  if (!hosts.includes(to)) return `host ${to} is not in the pool any more`;
  if (isBusy) return "it has a task under way";
  if (isFrozen) return "its last move failed";
  return refusals[0] ?? null;
}

/** A pool as JSON, and back: what a round was planned on, to be asked later. */
export const packedPool = ({ hosts, vms, rules }: Pool): string =>
  JSON.stringify({
    hosts,
    rules,
    vms: vms.map(({ excluded, ...vm }) => (excluded === undefined ? vm : { ...vm, excluded: [...excluded] })),
  });

export function unpackedPool(text: string): Pool {
  const packed = JSON.parse(text) as Pool & { vms: (PoolVm & { excluded?: [string, string][] })[] };
  return {
    ...packed,
    vms: packed.vms.map(({ excluded, ...vm }) =>
      excluded === undefined ? vm : { ...vm, excluded: new Map(excluded) },
    ),
  };
}
