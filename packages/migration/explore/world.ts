/**
 * The world around the reducers: two QEMUs, two agents with journals, the line between them, the lease
 * service. A simulation; nothing here decides anything for them. `possible.ts` says what may happen in a
 * state, `happen.ts` lets it happen, `judge.ts` says whether it may be.
 */
import {
  AGENT,
  ALIVE,
  at,
  clear,
  CONT_ANSWER,
  DISKS,
  type EventClass,
  fieldCount,
  inbox,
  setInbox,
  LEASE,
  QEMU,
  RUNS,
  SOURCE_IMAGE,
  STANDS,
  type State,
  TRUTH,
} from "./layout.ts";
import { IDLE } from "./names.ts";
import type { Rules, Side, Step } from "./rules.ts";

/** What a QEMU says over its one connection, where an answer that it gave before comes first. */
const saidByQemu: ReadonlySet<string> = new Set([
  ...[
    "paused",
    "guestPaused",
    "guestShutDown",
    "sample",
    "preSwitchover",
    "completed",
    "copyEnded",
    "copyStuck",
    "postcopyActive",
  ],
  ...["streamBroken", "streamResumed", "memoryComplete", "recovering"],
]);

const wordsOf: ReadonlySet<string> = new Set([
  ...saidByQemu,
  ...["resumed", "resumeFailed", "disksActive", "loaded", "loadedPartly", "loadFailed"],
]);

/** How much of what the agent has yet to take are its QEMU's words: effects that QEMU has done already. */
export function wordsOfQemu(w: World, h: number): number {
  const { inputs } = w.side(h);
  return w.rules.inboxes.items(inbox(w.now, h)).filter((input) => wordsOf.has(inputs[input] ?? "")).length;
}

/** What QEMU had done it cannot say any more, but for the first so many words. */
export function loseWordsOfQemu(w: World, h: number, read: number): void {
  const { inputs } = w.side(h);
  let words = 0;
  const left = w.rules.inboxes
    .items(inbox(w.now, h))
    .filter((input) => !wordsOf.has(inputs[input] ?? "") || words++ < read);
  setInbox(w.now, h, w.rules.inboxes.numberOf(left));
}

/** The answer that the guest runs reaches the agent, if one is on its way. */
export function answerCont(w: World, h: number): void {
  if ((at(w.now, QEMU + h) & CONT_ANSWER) === 0) return;
  clear(w.now, QEMU + h, CONT_ANSWER);
  w.push(h, w.number(h, "resumed"));
}

export class World {
  /** The state that is looked at, or that an event has made. */
  readonly now: State = new Uint16Array(fieldCount);
  /** What may happen, after `enumerate`. */
  readonly events: number[] = [];
  readonly classes: EventClass[] = [];
  /** What must never be, if it came to be in the last event. */
  violation: string | null = null;
  /** Hears what happens, in words. */
  tell: ((line: string) => void) | null = null;
  readonly rules: Rules;
  /** How many effects of a step are done before its agent dies (-1: all). */
  readonly stopAfter = { effects: -1 };
  /** Whether the journal can be written; where it fails late, the entry is there all the same. */
  disk: "sound" | "full" | "failsLate" = "sound";
  readonly #inputs: Map<string, number>[];

  constructor(rules: Rules) {
    this.rules = rules;
    this.#inputs = rules.sides.map((side) => new Map(side.inputs.map((name, index) => [name, index])));
  }

  /** The VM runs at the source, or is paused there, and a move is about to begin. */
  initial(): State {
    const first = new Uint16Array(fieldCount);
    first[AGENT] = this.rules.initialSource;
    first[AGENT + 1] = IDLE;
    setInbox(first, 0, this.rules.inboxes.append(0, this.number(0, "start")));
    const isPaused = this.rules.configuration.paused === true;
    first[QEMU] = isPaused ? ALIVE : ALIVE | RUNS;
    first[TRUTH] = isPaused ? STANDS : 0;
    first[LEASE] = this.rules.initialLease;
    if (this.rules.configuration.apart === true) first[DISKS] = SOURCE_IMAGE;
    return first;
  }

  number(h: number, input: string): number {
    const number = this.#inputs[h]?.get(input);
    if (number === undefined) throw new RangeError(`there is no input ${input}`);
    return number;
  }

  /** Puts an input at the end of what the agent of host `h` has yet to take. */
  push(h: number, input: number): void {
    if (at(this.now, AGENT + h) <= IDLE) return;
    setInbox(this.now, h, this.rules.inboxes.append(inbox(this.now, h), input));
  }

  give(h: number, input: string): void {
    if (saidByQemu.has(input)) answerCont(this, h);
    this.push(h, this.number(h, input));
  }

  /** Null when the agent has no move. */
  stepFor(h: number, agent: number, input: number): Step | null {
    return agent > IDLE ? this.side(h).step(agent, input) : null;
  }

  side(h: number): Side {
    return this.rules.sides[h] ?? this.rules.source;
  }

  /** Something is so that must never be. */
  broken(what: string): void {
    this.violation ??= what;
  }
}
