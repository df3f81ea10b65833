/**
 * VMs of a host whose QEMU was upgraded under them, one after the other: each moves to another host and back. What comes
 * next follows from the moves that were made and where the VMs are; pure: it is asked again whenever something has
 * changed.
 */
import { GodwitError, hasProcess, isEnded, type Finding, type Problem, type VmView } from "@godwit/contract";
import type { MoveTask, Stuck } from "./emptying.ts";
import type { Mover } from "./evacuation.ts";

/** A move that failed by something that may pass is tried again, so many times in all in each direction. */
const attempts = 3;

/** A VM that the task is to bring onto the host's QEMU. */
export interface Outdated {
  id: string;
  name: string;
}

/** How it stands, read from the database. */
export interface RenewalStanding {
  host: string;
  cancelling: boolean;
  /** In this order. */
  wanted: readonly Outdated[];
  /** Of those that there are. */
  vms: readonly VmView[];
  /** The moves that are parts of the task, oldest first. */
  moves: readonly MoveTask[];
}

/**
 *   away      it runs on the QEMU of before, and moves to another host next
 *   moving    a move is under way
 *   back      it is on the host that it was moved to, and moves back next
 *   renewed   it runs on the new QEMU, or will at its next start; or somebody has moved or deleted it meanwhile
 *   outdated  it runs on the QEMU of before, and no move of it is tried any more
 *   stranded  it is on the host that it was moved to, and no move back is tried any more
 */
export type VmRenewal =
  | { is: "away" | "back"; mover: Mover }
  | { is: "moving" | "renewed" }
  | { is: "outdated" | "stranded"; problem: Problem | null };

export function renewalOf(standing: RenewalStanding, { id }: Outdated): VmRenewal {
  const { host, cancelling } = standing;
  const vm = standing.vms.find((one) => one.id === id);
  const moves = standing.moves.filter(({ subject }) => subject.id === id);
  if (moves.some((move) => !isEnded(move))) return { is: "moving" };
  if (vm === undefined) return { is: "renewed" };
  const outward = moves.filter(({ request }) => request.to !== host);
  const left = outward.findLast(({ state }) => state === "succeeded");
  if (vm.host === host) {
    if (left !== undefined || vm.state === "stopped") return { is: "renewed" };
    const problem = givenUp(outward);
    if (problem !== null || cancelling || !hasProcess(vm)) return { is: "outdated", problem };
    return { is: "away", mover: moverOf(vm, outward) };
  }
  // Elsewhere by another's move, it is where that one wants it.
  if (left?.request.to !== vm.host) return { is: "renewed" };
  const inward = moves.filter(({ request }) => request.to === host);
  const problem = givenUp(inward);
  if (problem !== null || vm.state === "lost") return { is: "stranded", problem };
  return { is: "back", mover: moverOf(vm, []) };
}

/** The VM that a move starts for next: one is away at a time. @param stuck VMs that no host may have as things are */
export function nextRenewal(
  standing: RenewalStanding,
  stuck: Stuck,
): { is: "away" | "back"; mover: Mover } | "wait" | null {
  for (const wanted of standing.wanted) {
    if (stuck.has(wanted.id)) continue;
    const renewal = renewalOf(standing, wanted);
    if (renewal.is === "moving") return "wait";
    if (renewal.is === "away" || renewal.is === "back") return renewal;
  }
  return null;
}

/** How it ends when nothing comes next. */
export function renewalEnd(
  standing: RenewalStanding,
  stuck: Stuck,
): { renewed: string[]; problem: Problem | null } {
  const { host, wanted, cancelling } = standing;
  const all = wanted.map((vm) => ({ ...vm, renewal: renewalOf(standing, vm) }));
  const named = (...states: VmRenewal["is"][]) =>
    all.filter(({ renewal }) => states.includes(renewal.is)).map(({ name }) => name);
  const renewed = named("renewed");
  const outdated = named("outdated", "away");
  const away = named("stranded", "back");
  if (outdated.length + away.length === 0) return { renewed, problem: null };
  if (cancelling && away.length === 0) {
    return {
      renewed,
      problem: GodwitError.of("QEMU_RENEWAL_CANCELLED", { host, renewed, left: outdated }).problem,
    };
  }
  const findings = all.flatMap(({ id, name, renewal }): Finding[] => {
    const problem = "problem" in renewal ? renewal.problem : null;
    if (problem === null) return stuck.get(id) ?? [];
    const { code, detail: message, remedy, details } = problem;
    return [{ code, severity: "error", vm: name, message, remedy, details }];
  });
  const incomplete = GodwitError.of("QEMU_RENEWAL_INCOMPLETE", { host, outdated, away }, { findings });
  return { renewed, problem: incomplete.problem };
}

/** What the last move ended with, when no other one is tried; null: it may be. */
function givenUp(tried: readonly MoveTask[]): Problem | null {
  const last = tried.at(-1);
  if (last === undefined || last.error === null) return null;
  const mayPass = last.state === "failed" && last.error.retry === "later";
  return mayPass && tried.length < attempts ? null : last.error;
}

const moverOf = (vm: VmView, tried: readonly MoveTask[]): Mover => ({
  vm,
  live: hasProcess(vm),
  failedAt: tried.map(({ request }) => request.to),
});
