/**
 * The lease service's decisions: a pure reducer over one VM's lease. Exclusive and shared, conversion, a
 * version that grows with each exclusive grant to another host, and fencing of a host that is surely off.
 * Asking again for what one has changes nothing, so every question may be repeated when its answer was lost.
 * Each host numbers its questions: one that was given up, but is still under way when a later one has been
 * decided, counts no more.
 *
 * A holder that was fenced did not give its lease back: whether it ran the VM before it died, nobody can
 * tell. So that is remembered until it no longer matters, and told with each grant.
 */
import type { LeaseMode } from "@godwit/contract";

export interface LeaseHolding {
  readonly host: string;
  readonly mode: LeaseMode;
}

export interface LeaseState {
  readonly version: number;
  readonly lastExclusiveHost: string | null;
  readonly holders: readonly LeaseHolding[];
  /** Hosts that were fenced while they shared the lease with the host that still holds it. */
  readonly fenced: readonly string[];
  /** Of each host that has ever asked: the number of its latest question that was decided. */
  readonly heard: Readonly<Record<string, number>>;
}

export type LeaseQuestion =
  | { ask: "acquire"; host: string; mode: LeaseMode; number: number }
  | { ask: "convert"; host: string; mode: LeaseMode; number: number }
  | { ask: "release"; host: string; number: number }
  /** The host is surely off: powered off by a person, or stopped by its own watchdog before its lease ran out. */
  | { ask: "fence"; host: string };

export type LeaseDecision =
  | { kind: "granted"; lease: LeaseState }
  /** Others hold it. */
  | { kind: "held"; lease: LeaseState; others: readonly LeaseHolding[] }
  /** Only a holder can convert. */
  | { kind: "notHeld"; lease: LeaseState }
  /** A later question of the same host has been decided already. */
  | { kind: "overtaken"; by: number };

export const freeLease: LeaseState = {
  version: 0,
  lastExclusiveHost: null,
  holders: [],
  fenced: [],
  heard: {},
};

/** The answer, and the lease as it is from then on: refused or not, the question has been heard. */
export function decideLease(before: LeaseState, question: LeaseQuestion): LeaseDecision {
  let lease = before;
  if (question.ask !== "fence") {
    const by = before.heard[question.host];
    if (by !== undefined && question.number < by) return { kind: "overtaken", by };
    lease = { ...before, heard: { ...before.heard, [question.host]: question.number } };
  }
  const own = lease.holders.find(({ host }) => host === question.host);
  switch (question.ask) {
    case "acquire":
      if (own !== undefined && (own.mode === "EX" || own.mode === question.mode)) return granted(lease);
      return grant(lease, question.host, question.mode);
    case "convert":
      if (own === undefined) return { kind: "notHeld", lease };
      if (own.mode === question.mode) return granted(lease);
      return grant(lease, question.host, question.mode);
    case "release":
      return granted(without(lease, question.host, lease.fenced));
    case "fence":
      if (own === undefined) return granted(lease);
      return granted(without(lease, question.host, [...lease.fenced, question.host]));
  }
}

function grant(lease: LeaseState, host: string, mode: LeaseMode): LeaseDecision {
  const others = lease.holders.filter((holder) => holder.host !== host);
  if (others.some((other) => mode === "EX" || other.mode === "EX")) return { kind: "held", lease, others };
  const own = lease.holders.find((holder) => holder.host === host);
  const holders = own
    ? lease.holders.map((holder) => (holder === own ? { host, mode } : holder))
    : [...lease.holders, { host, mode }];
  // Who shares what it had alone begins again, and who is back is no longer missed.
  const fenced = own?.mode === "EX" ? [] : lease.fenced.filter((one) => one !== host);
  if (mode === "SH" || lease.lastExclusiveHost === host) return granted({ ...lease, holders, fenced });
  return granted({ ...lease, version: lease.version + 1, lastExclusiveHost: host, holders, fenced });
}

/** The lease without one holder; nothing is missed of a lease that nobody holds. */
function without(lease: LeaseState, host: string, fenced: readonly string[]): LeaseState {
  const holders = lease.holders.filter((holder) => holder.host !== host);
  return { ...lease, holders, fenced: holders.length === 0 ? [] : fenced };
}

const granted = (lease: LeaseState): LeaseDecision => ({ kind: "granted", lease });
