/**
 * The lease service as the hosts see it: questions one after the other, answers that may be late or never
 * come, questions that are still under way when nobody waits for them any more. Its reducer decides.
 */
import {
  AGENT,
  ALIVE,
  ANSWER,
  ASKS,
  at,
  clear,
  CLOSED,
  DIED,
  EXPIRING,
  FENCED,
  JOURNAL,
  LEASE,
  LINE,
  OUTAGE,
  QEMU,
  RUNS,
  set,
  STALE,
  THIRD_RUNS,
  TRUTH,
} from "./layout.ts";
import { fenceDisks } from "./disks.ts";
import {
  ACQUIRE_EX,
  ACQUIRE_SH,
  CONVERT_EX,
  CONVERT_SH,
  DOWN,
  FENCE,
  GRANTED,
  GRANTED_FENCED,
  HELD_BY_PEER,
  HELD_BY_THIRD,
  IDLE,
  LATEST,
  NOT_HELD,
  OVERTAKEN,
  RELEASE,
  UNASKED,
  UNKNOWN,
} from "./names.ts";
import type { World } from "./world.ts";

export function cannotAsk(w: World, h: number): boolean {
  return (at(w.now, LINE) & (OUTAGE << h)) !== 0;
}

export function ask(w: World, h: number, question: number): void {
  const lists = w.rules.asks;
  const asks = at(w.now, ASKS + h);
  // What waits to be asked already is not asked twice; what was decided may have changed since.
  const decided = at(w.now, ANSWER + h) === UNASKED ? 0 : 1;
  if (lists.items(asks).includes(question, decided)) return;
  w.now[ASKS + h] = lists.append(asks, question);
}

/** The lease service decides. @returns its answer */
export function askLease(w: World, h: number, question: number, number: number = LATEST): number {
  const f = w.now;
  // With its storage gone a host has nothing to convert and nothing to give back, and nobody to ask for anything new.
  if (isExpiring(w, h)) {
    if (question === RELEASE) return GRANTED;
    return question === CONVERT_EX || question === CONVERT_SH ? NOT_HELD : UNKNOWN;
  }
  const held = w.rules.holds(at(f, LEASE), h);
  const decided = w.rules.decide(at(f, LEASE), h, question, number);
  f[LEASE] = decided.lease;
  // An old question of before a move began again takes nothing: its share is asked for later.
  const isGivenBack = held && !w.rules.holds(decided.lease, h);
  if (question === RELEASE && isGivenBack && (at(f, QEMU + h) & ALIVE) !== 0)
    w.broken("a lease is given back while its QEMU is still there");
  return decided.answer;
}

export function askLatest(w: World, h: number, question: number): number {
  const answer = askLease(w, h, question);
  // What this host asked before is from now on older than what was decided.
  const f = w.now;
  const stale = at(f, STALE + h);
  f[STALE + h] = ((stale & 0x3f) << 6) | (stale & 0xfc0);
  return answer;
}

export function decideLease(w: World, h: number): void {
  const [question] = w.rules.asks.items(at(w.now, ASKS + h));
  if (question !== undefined) w.now[ANSWER + h] = askLatest(w, h, question);
}

const isExpiring = (w: World, h: number): boolean => (at(w.now, TRUTH) & (EXPIRING << h)) !== 0;

/** Others count a host's share no more: it was not renewed for so long that the host has surely ended its VMs. */
export function expire(w: World, h: number): void {
  const f = w.now;
  clear(f, TRUTH, EXPIRING << h);
  // Whether it ran the VM before, and what became of that, nobody can tell any more.
  set(f, TRUTH, DIED << h);
  f[LEASE] = w.rules.decide(at(f, LEASE), h, FENCE).lease;
}

export function answerLease(w: World, h: number, fresh: boolean): void {
  const f = w.now;
  const lists = w.rules.asks;
  const [question] = lists.items(at(f, ASKS + h));
  const answer = at(f, ANSWER + h);
  f[ASKS + h] = lists.rest(at(f, ASKS + h));
  f[ANSWER + h] = UNASKED;
  switch (question) {
    case ACQUIRE_SH:
      w.give(1, answer === GRANTED || answer === GRANTED_FENCED ? "prepared" : "prepareFailed");
      return;
    case RELEASE:
      w.give(h, "released");
      return;
  }
  if (at(f, AGENT + h) > IDLE)
    w.give(h, h === 0 ? toSource(question, answer) : toDestination(w, answer, fresh));
}

/** The answer as the source's agent receives it. */
function toSource(question: number | undefined, answer: number): string {
  switch (answer) {
    case GRANTED:
      return question === CONVERT_SH ? "leaseShared" : "leaseExclusive";
    case GRANTED_FENCED:
      return question === CONVERT_SH ? "leaseShared" : "leaseExclusiveFenced";
    case HELD_BY_PEER:
      return "leaseHeldByPeer";
    case HELD_BY_THIRD:
      return "leaseHeldByThird";
    case NOT_HELD:
      return "leaseNotHeld";
    default:
      return "leaseUnknown";
  }
}

/** The same for the destination's, which looks who holds the lease now, and whether that host was heard of lately. */
function toDestination(w: World, answer: number, fresh: boolean): string {
  switch (answer) {
    case GRANTED:
    case GRANTED_FENCED:
      return "leaseExclusive";
    case HELD_BY_PEER:
    case HELD_BY_THIRD:
      if (!w.rules.holds(at(w.now, LEASE), 0)) return "leaseHeldByThird";
      return fresh ? "leaseHeldByFreshPeer" : "leaseHeldByPeer";
    case NOT_HELD:
      return "leaseNotHeld";
    default:
      return "leaseUnknown";
  }
}

export function leaseUnavailable(w: World, h: number, stale: boolean): void {
  const f = w.now;
  const lists = w.rules.asks;
  const [question] = lists.items(at(f, ASKS + h));
  if (question === undefined) return;
  if (stale) set(f, STALE + h, 1 << question);
  if (question === RELEASE) return; // asked again until it is done
  f[ASKS + h] = lists.rest(at(f, ASKS + h));
  if (question === ACQUIRE_SH) w.give(1, "prepareFailed");
  else w.give(h, "leaseUnknown");
}

/** What a host without a move of its own does about its lease, if it changes anything; else -1. */
export function reconciliation(w: World, h: number): number {
  const f = w.now;
  const agent = at(f, AGENT + h);
  if (agent === DOWN || at(f, ASKS + h) !== 0 || cannotAsk(w, h) || isExpiring(w, h)) return -1;
  if (agent > IDLE && w.side(h).phase(agent) !== "ended") return -1;
  const qemu = at(f, QEMU + h);
  const lease = at(f, LEASE);
  const question = w.rules.reconciliation(lease, h, (qemu & ALIVE) !== 0, (qemu & RUNS) !== 0);
  if (question < 0) return -1;
  return w.rules.decide(lease, h, question).lease === lease ? -1 : question;
}

export function thirdAsks(w: World): void {
  const f = w.now;
  const decided = w.rules.decide(at(f, LEASE), 2, ACQUIRE_EX);
  f[LEASE] = decided.lease;
  if (decided.answer === GRANTED || decided.answer === GRANTED_FENCED) set(f, TRUTH, THIRD_RUNS);
}

export function fence(w: World, h: number): void {
  const f = w.now;
  set(f, TRUTH, FENCED << h);
  clear(f, TRUTH, EXPIRING << h);
  for (const field of [JOURNAL, ASKS, ANSWER, STALE]) f[field + h] = 0;
  if (h === 0) set(f, LINE, CLOSED);
  fenceDisks(w, h);
  f[LEASE] = w.rules.decide(at(f, LEASE), h, FENCE).lease;
}

/** A question that would change nothing now is as good as never asked. */
export function forgetStale(w: World): void {
  const f = w.now;
  for (let h = 0; h < 2; h++) {
    for (let bit = 6; at(f, STALE + h) >> bit !== 0; bit++) {
      if (w.rules.decide(at(f, LEASE), h, bit - 6, OVERTAKEN).lease === at(f, LEASE))
        clear(f, STALE + h, 1 << bit);
    }
  }
}
