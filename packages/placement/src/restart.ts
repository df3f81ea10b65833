/**
 * VMs that died and are to run again: those of a host that is silent and whose leases have run out, and those whose
 * process ended by itself. What a silent host does nobody knows; the storage does: only a lease that its holder has not
 * renewed in time proves that the VM does not run, and whoever starts it takes that lease first. Pure, a table first.
 */
import {
  pauseText,
  type Lease,
  type PauseReason,
  type PoolRuleTerms,
  type RestartPriority,
  type TaskId,
  type VmState,
  type VmView,
} from "@godwit/contract";
import { ofKind, type PoolRule } from "./rules/pool-rule.ts";
import type { Home } from "./vm-commands.ts";

/** A restart that ended within the last hour. */
export interface RecentRestart {
  vmId: string;
  task: TaskId;
  host: string;
  endedAtMs: number;
  failed: boolean;
}

/** Within the hour; then an operator is needed. */
export const mostRestarts = 3;
/** Between two tries for one VM, for each try before. */
const pauseSeconds = 10;
/** Starts at one time, on each host. */
export const startsAtOnce = 4;

/** What is known of a VM that may have died. */
export interface RestartFacts {
  vm: Pick<VmView, "id" | "name" | "state" | "pauseReason" | "seenAt">;
  host: string;
  home: Exclude<Home, "removed">;
  /** Since when the pool restarts VMs. */
  sinceMs: number;
  nowMs: number;
  isBusy: boolean;
  recent: readonly RecentRestart[];
  priority: RestartPriority;
}

/** As the VM's storage tells it; or why it could not be asked. */
export type KnownLease = (Pick<Lease, "holders"> & Partial<Pick<Lease, "version">>) | { unread: string };

/**
 * `ready`: it may be started now. `soon`: it will be, others that come after it wait. `held`: something else must happen
 * first, nobody waits for it. `left`: it is not started.
 */
export interface RestartVerdict {
  state: "ready" | "soon" | "held" | "left";
  /** As a part of a sentence. */
  reason: string;
  /** The VM waits only for the lease of its host to run out, which is silent. */
  waitsForLease?: true;
}

type Concern = "dead" | "lives" | "left";

/** A VM that its host still reports, or that was stopped, is none of this. */
const concerns: Record<VmState, Record<RestartFacts["home"], Concern>> = {
  stopped: { connected: "lives", silent: "lives" },
  starting: { connected: "lives", silent: "dead" },
  running: { connected: "lives", silent: "dead" },
  paused: { connected: "lives", silent: "dead" },
  incoming: { connected: "lives", silent: "lives" },
  stopping: { connected: "lives", silent: "left" },
  lost: { connected: "dead", silent: "dead" },
};

/** Pauses that somebody asked for: what was kept in memory for later is gone, and nobody asked for a new start. */
const wanted: readonly PauseReason[] = ["user", "suspended", "shutdown"];

/** What is known without its lease. Null: the VM lives, or does not run. `ready`: its lease is asked next. */
export function judgeDeath(facts: RestartFacts): RestartVerdict | null {
  const { vm, home, host, sinceMs, nowMs, isBusy, recent, priority } = facts;
  const concern = concerns[vm.state][home];
  if (concern === "lives") return null;
  const left = (reason: string): RestartVerdict => ({ state: "left", reason });
  if (isBusy) return { state: "soon", reason: "it has a task under way" };
  if (concern === "left") return left(`it was being stopped when host ${host} fell silent`);
  if (vm.pauseReason !== null && wanted.includes(vm.pauseReason))
    return left(`it stood still when host ${host} fell silent: ${pauseText(vm.pauseReason)}`);
  if (vm.state === "lost" && Date.parse(vm.seenAt) < sinceMs)
    return left("it was lost before the pool began to restart VMs");
  if (priority === "never") return left("a rule of the pool says that it is not restarted");
  const own = recent.filter(({ vmId }) => vmId === vm.id);
  if (own.length >= mostRestarts)
    return left(`it was restarted ${String(own.length)} times within the last hour`);
  const last = Math.max(0, ...own.map(({ endedAtMs }) => endedAtMs));
  if (nowMs < last + own.length * pauseSeconds * 1000)
    return { state: "soon", reason: "it is tried again in a moment" };
  return { state: "ready", reason: "" };
}

/** What its lease says of a VM that is dead as far as the server knows. */
export function judgeLease({ home, host, vm }: RestartFacts, lease: KnownLease): RestartVerdict {
  if ("unread" in lease)
    return { state: "held", reason: `whether it still runs is not known: ${lease.unread}` };
  const { holders } = lease;
  const alive = holders.find(({ fresh }) => fresh);
  if (alive !== undefined)
    return {
      state: "held",
      reason:
        alive.host === host && home === "silent"
          ? `host ${host} does not answer the server, but renews its lease: the VM may run there`
          : `host ${alive.host} holds its lease`,
    };
  const free = Math.max(0, ...holders.map(({ freeInMs }) => freeInMs ?? Number.POSITIVE_INFINITY));
  if (free === Number.POSITIVE_INFINITY)
    return { state: "held", reason: "when its lease will be free is not known" };
  if (free > 0) {
    const isOnlyHosts = holders.length === 1 && holders[0]?.host === host && home === "silent";
    const reason = `its lease is free in ${String(Math.ceil(free / 1000))} s`;
    return { state: "soon", reason, ...(isOnlyHosts ? { waitsForLease: true } : {}) };
  }
  // A host that dies cannot give a lease back: this one did, so the VM had ended before, and nobody knows how.
  if (holders.length === 0 && home === "silent" && vm.state !== "lost" && !isBroken(lease))
    return {
      state: "held",
      reason: `host ${host} gave its lease back: it had ended before the host fell silent`,
    };
  return { state: "ready", reason: "" };
}

/** Versions of each lease that was put in the place of one before begin with so many, and none of this one was granted yet. */
const isBroken = ({ version = 0 }: Partial<Pick<Lease, "version">>): boolean =>
  version > 0 && version % 1_000_000_000 === 0;

type RestartTerms = Extract<PoolRuleTerms, { kind: "restart" }>;
const priorities: readonly RestartPriority[] = ["highest", "high", "medium", "low", "lowest", "never"];

/** How a pool's rules restart each VM, by its id. */
export function restartTerms(rules: readonly PoolRule[]): Map<string, RestartTerms> {
  return new Map(
    [...ofKind(rules, "restart")].flatMap(({ rule, terms }) =>
      rule.vms.map(({ id }) => [id, terms] as const),
    ),
  );
}

/** VMs without a rule. */
export const usualPriority: RestartPriority = "medium";

export interface Candidate extends RestartVerdict {
  vmId: string;
  priority: RestartPriority;
}

/**
 * Those that may be started now, the most important first, and for each of the others what it waits for: VMs of a higher priority, and
 * those of rules that its own rule comes after.
 */
export function orderRestarts<T extends Candidate>(
  candidates: readonly T[],
  rules: readonly PoolRule[],
): T[] {
  const terms = restartTerms(rules);
  const namesOf = new Map([...ofKind(rules, "restart")].map(({ rule }) => [rule.name, rule]));
  const pending = candidates.filter(({ state }) => state === "ready" || state === "soon");
  const rank = ({ priority }: Candidate) => priorities.indexOf(priority);
  const waitsFor = (candidate: T): string | null => {
    const before = (terms.get(candidate.vmId)?.after ?? []).find((name) =>
      namesOf
        .get(name)
        ?.vms.some(({ id }) => id !== candidate.vmId && pending.some(({ vmId }) => vmId === id)),
    );
    if (before !== undefined) return `VMs of rule ${before} come first`;
    const higher = pending.some((other) => rank(other) < rank(candidate));
    return higher ? "VMs of a higher priority come first" : null;
  };
  return candidates
    .map((candidate): T => {
      const reason = candidate.state === "ready" ? waitsFor(candidate) : null;
      return reason === null ? candidate : { ...candidate, state: "soon", reason };
    })
    .sort((a, b) => rank(a) - rank(b));
}

/** Hosts that could not start the VM within the last hour: another one is tried first. */
export const hostsThatFailed = (vmId: string, recent: readonly RecentRestart[]): Set<string> =>
  new Set(recent.filter((one) => one.vmId === vmId && one.failed).map(({ host }) => host));
