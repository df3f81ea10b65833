/**
 * A state of the whole world in `fieldCount` numbers of 16 bits, and what may happen in it as numbers too.
 * What no longer matters (a dead host's inbox, the flags of a QEMU that is gone) is zero, so that states
 * which behave alike are the same.
 */
import { toDestinationNames, toSourceNames } from "./names.ts";

export type State = Uint16Array;

/* Fields; those of the source's host (0) come right before those of the destination's (1). */
export const AGENT = 0;
const INBOX = 2;
export const JOURNAL = 4;
export const TIMERS = 6;
export const QEMU = 8;
/** Questions to the lease service that were not answered yet. */
export const ASKS = 10;
/** Answers that are on their way, and questions that were given up but may still be taken. */
export const ANSWER = 12;
export const STALE = 14;
export const LINE = 16;
export const MESSAGES = 17;
export const LEASE = 18;
export const TRUTH = 19;
export const FAULTS = 20;
/** The upper 8 bits of both inboxes: there are many ways in which inputs can wait. */
const INBOXES = 21;
/** What each QEMU was told and has not read yet. */
export const COMMANDS = 22;
/** Images of a VM whose disks move with it; 0 where both hosts see them. */
export const DISKS = 24;
/** Even, so that a state is a whole number of 32-bit words. */
export const fieldCount = 26;

/* Images. The source's and the VM's description there; files at the destination, and a description. */
export const SOURCE_IMAGE = 1;
export const TARGET_IMAGE = 2;
export const DESCRIBED_THERE = 4;
/** Mirrors are under way, have caught up, were told to end. */
export const MIRROR = 8;
export const CAUGHT_UP = 16;
export const ENDING = 32;
/** The mirrors have ended well, and the guest has run at the source since. */
export const WHOLE = 64;
export const STALE_IMAGE = 128;

/* QEMU. */
export const ALIVE = 1;
export const RUNS = 2;
/** It has let the guest run, and its answer is on its way to the agent that told it. */
export const CONT_ANSWER = 512;
/** Source: the guest ran when QEMU stopped it for the last step, so QEMU lets it run again if that fails. */
export const AUTO = 8;
/** The stream of the copy is whole. */
export const STREAM = 8; // of the destination's QEMU
export const COPY_SHIFT = 4;
export const COPY = 15 << COPY_SHIFT;
export const [NONE, ACTIVE, PRE, DEVICE, CANCELLING, COMPLETED, ENDED] = [0, 1, 2, 3, 4, 5, 6] as const;
export const [LISTENING, STREAMING, FULL, LOADED, FAILED] = [1, 2, 3, 4, 5] as const;
/** Post-copy. The source sends the rest, or has lost its stream; before that, it waits to be let begin. */
export const [SERVING, BROKEN, PRE_SPLIT] = [7, 8, 9] as const;
/** The destination has received enough to let the guest run, has loaded it, has lost its stream, listens again. */
export const [HALF, PARTLY, WAITS, RECOVERS] = [6, 7, 8, 9] as const;
/** The source was told to begin post-copy. */
export const POSTCOPY = 256;

/* The line: each end's view, what is cut, and what only one end knows. */
export const UP = 1; // and 2 for the destination's view
export const CUT_TO_DESTINATION = 4;
export const CUT_TO_SOURCE = 8;
export const CUTS = CUT_TO_DESTINATION | CUT_TO_SOURCE;
export const CLOSED = 16;
export const REFUSED = 32;
/** The lease service cannot be reached from the source's host; the next bit: from the destination's. */
export const OUTAGE = 64;
export const OUTAGES = OUTAGE | (OUTAGE << 1);

/* What is true, whoever knows it. */
export const RAN_AT_DESTINATION = 1;
/** The source's guest has run since the destination's copy was complete. */
export const COPY_IS_OLD = 2;
export const THIRD_RUNS = 4;
/** No current memory is left, and that was nobody's decision. */
export const LOST = 8;
export const DEAD = 16; // and 32 for the destination's host
export const FENCED = 64; // and 128
export const STOPPED_BY_USER = 256;
/** This host's whole and current memory was lost by a fault, or its share of the lease ran out. */
export const DIED = 512; // and 1024
export const TOLD_LOST = 2048;
/** The host's own lease was not renewed: its QEMU was ended, its share is still counted by others. 8192: the destination's. */
export const EXPIRING = 4096;
/** The guest stands still on its own account: the user, an I/O error or itself has stopped it. */
export const STANDS = 16384;
/** It has switched itself off. */
export const OFF = 32768;

/** Messages under way: a bit for each to the destination, then one for each to the source. */
export const toSource = toDestinationNames.length;
export const PREPARE = toDestinationNames.indexOf("prepare");
export const messageCount = toSource + toSourceNames.length;
export const timerInput = [toSourceNames.length, toDestinationNames.length] as const;
export const receiverOf = (message: number): 0 | 1 => (message < toSource ? 1 : 0);
export const inputOf = (message: number): number => (message < toSource ? message : message - toSource);

export const kinds = [
  "take",
  "takeThenDie",
  "takeWithFullDisk",
  "takeWithLateError",
  "deliver",
  "beginWithFullDisk",
  "beginWithLateError",
  "deliverTwice",
  "loseMessage",
  "lineUp",
  "notice",
  "cut",
  "heal",
  "agentDies",
  "agentReturns",
  "qemuDies",
  "qemuDiesUnheard",
  "hostDies",
  "hostReturns",
  "fence",
  "storageLost",
  "leaseExpires",
  "obey",
  "contRefused",
  "contAnswered",
  "guestStops",
  "guestShutsDown",
  "decideLease",
  "answerLease",
  "leaseUnavailable",
  "decideStale",
  "outage",
  "outageEnds",
  "timer",
  "reconcile",
  "cancel",
  "limits",
  "sample",
  "lastStep",
  "finalSent",
  "load",
  "loadFails",
  "pulled",
  "acknowledge",
  "disksReady",
  "disksEnded",
  "disksFail",
  "sourceStreamEnds",
  "destinationStreamEnds",
  "postcopyFails",
  "cancelled",
  "streamBreaks",
  "thirdAsks",
  "userStops",
] as const;
export type EventKind = (typeof kinds)[number];
export const kindBits = 6;
const numberOfKind = Object.fromEntries(kinds.map((kind, number) => [kind, number])) as Record<
  EventKind,
  number
>;
export const code = (kind: EventKind, argument = 0): number => numberOfKind[kind] | (argument << kindBits);
export const kindMask = (1 << kindBits) - 1;
export const kindOf = (event: number): EventKind => kinds[event & kindMask] ?? "take";

/**
 * When an event may happen: soon, if nothing fails; the end of something that may last; when nothing else
 * goes on; only in a storm; only as a fault.
 */
export const [PROMPT, LASTING, WAITING, STORMY, FAULT] = [0, 1, 2, 3, 4] as const;
export type EventClass = 0 | 1 | 2 | 3 | 4;

export function at(state: State, field: number): number {
  return state[field] ?? 0;
}
export function set(state: State, field: number, bits: number): void {
  state[field] = at(state, field) | bits;
}
export function clear(state: State, field: number, bits: number): void {
  state[field] = at(state, field) & ~bits;
}
/** The list of what the agent of host `h` has yet to take. */
export function inbox(state: State, h: number): number {
  return at(state, INBOX + h) | (((at(state, INBOXES) >> (h * 8)) & 0xff) << 16);
}
export function setInbox(state: State, h: number, list: number): void {
  state[INBOX + h] = list;
  state[INBOXES] = (at(state, INBOXES) & ~(0xff << (h * 8))) | ((list >> 16) << (h * 8));
}
/** How far the copy is, as the QEMU of host `h` sees it. */
export function copyOf(state: State, h: number): number {
  return (at(state, QEMU + h) & COPY) >> COPY_SHIFT;
}
export function copyState(state: State, h: number, copy: number): void {
  state[QEMU + h] = (at(state, QEMU + h) & ~COPY) | (copy << COPY_SHIFT);
}
