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
  UP,
} from "./layout.ts";
import {
  ACQUIRE_EX,
  ACQUIRE_SH,
  CONVERT_EX,
  CONVERT_SH,
  DOWN,
  FENCE,
  GRANTED,
  GRANTED_FENCED,
  HELD,
  IDLE,
  LATEST,
  NOT_HELD,
  OVERTAKEN,
  RELEASE,
  UNASKED,
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
  // With its storage gone a host has nothing to ask for, and nothing to give back.
  if (isExpiring(w, h)) return question === RELEASE ? GRANTED : NOT_HELD;
  const decided = w.rules.decide(at(f, LEASE), h, question, number);
  f[LEASE] = decided.lease;
  if (question === RELEASE && (at(f, QEMU + h) & ALIVE) !== 0)
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
  if (question === undefined) return;
  const answer = askLatest(w, h, question);
  const agent = at(w.now, AGENT);
  const isOver = h === 0 && agent > IDLE && !w.side(0).hasQemu(agent);
  w.now[ANSWER + h] = answer === NOT_HELD && question === CONVERT_EX && isOver ? anew(w) : answer;
}

/** A source whose copy has ended, and whose share is gone, asks for the lease anew: only a grant tells that nobody has it. */
function anew(w: World): number {
  const answer = askLatest(w, 0, ACQUIRE_EX);
  // A third host that has it alone is as good: the destination has no share any more, and says so if it can be heard.
  const isSilent = (at(w.now, LINE) & UP) === 0;
  const isUndone = w.side(0).phase(at(w.now, AGENT)) === "undoing";
  if (answer === HELD && (isUndone || isSilent) && !w.rules.holds(at(w.now, LEASE), 1)) return GRANTED;
  return answer === NOT_HELD ? HELD : answer;
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
  const isGranted = answer === GRANTED || answer === GRANTED_FENCED;
  switch (question) {
    case ACQUIRE_SH:
      w.give(1, isGranted ? "prepared" : "prepareFailed");
      return;
    case CONVERT_SH:
      w.give(0, isGranted ? "leaseShared" : "leaseHeld");
      return;
    case RELEASE:
      w.give(h, "released");
      return;
  }
  const agent = at(f, AGENT + h);
  if (agent <= IDLE) return;
  const side = w.side(h);
  // As the agents do: a lease that was taken away leaves a destination that is complete nothing to wait for.
  const leavesNothing =
    h === 1 && ["receiving", "loaded", "pulling", "running", "died"].includes(side.phase(agent));
  if (answer === GRANTED_FENCED && h === 0) w.give(0, "leaseExclusiveFenced");
  else if (isGranted || (answer === NOT_HELD && leavesNothing)) w.give(h, "leaseExclusive");
  else if (h === 0) w.give(0, "leaseHeld");
  else w.give(1, fresh && w.rules.holds(at(f, LEASE), 0) ? "leaseHeldFresh" : "leaseHeldSilent");
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
  else w.give(h, "leaseUnavailable");
}

/** What a host without a move of its own does about its lease, if it changes anything; else -1. */
export function upkeep(w: World, h: number): number {
  const f = w.now;
  const agent = at(f, AGENT + h);
  if (agent === DOWN || at(f, ASKS + h) !== 0 || cannotAsk(w, h) || isExpiring(w, h)) return -1;
  if (agent > IDLE && w.side(h).phase(agent) !== "ended") return -1;
  const qemu = at(f, QEMU + h);
  const lease = at(f, LEASE);
  const question = w.rules.upkeep(lease, h, (qemu & ALIVE) !== 0, (qemu & RUNS) !== 0);
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
