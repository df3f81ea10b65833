/**
 * The reducers as tables: their states, inputs, journal entries and effects as numbers, filled by asking the
 * reducers themselves, once for each question. What no decision looks at is left out of a state before it
 * is numbered: the wording of problems. Times are always the same, so they make no difference either.
 */
import type { MoveOrder } from "@godwit/contract";
import {
  destinationPhases,
  sourcePhases,
  UnlistedTransition,
  type DestinationEffect,
  type DestinationEntry,
  type DestinationInput,
  type DestinationState,
  type LeaseState,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceState,
  type ToDestination,
  type ToSource,
} from "../src/index.ts";
import { destinationInputs, orderFor, problem, sourceInputs } from "./inputs.ts";
import {
  ACQUIRE_EX,
  type Configuration,
  CONVERT_EX,
  DECIDED,
  destinationTimers,
  effectBits,
  type EffectName,
  effectNames,
  FENCE,
  GRANTED,
  GRANTED_FENCED,
  HELD_BY_PEER,
  HELD_BY_THIRD,
  hosts,
  isSeen,
  LATEST,
  nameOf,
  NOT_HELD,
  outcomes,
  questions,
  RELEASE,
  sourceTimers,
  toDestinationNames,
  toSourceNames,
  UNASKED,
} from "./names.ts";
import type { Protocol } from "./protocol.ts";
import { Lists, Values } from "./tables.ts";

/** A state's number and its effects, each `name | argument << effectBits`. */
export interface Step {
  readonly state: number;
  readonly effects: readonly number[];
  /** The reducer's own refusal of a transition that its table does not list; null: it made none. */
  readonly wrong: string | null;
  /** After how many of its effects it makes a difference that its agent dies. */
  readonly deaths: readonly number[];
  readonly writes: boolean;
  /** Whether it writes an entry whose failure keeps what follows from being done. */
  readonly writesVital: boolean;
}

/** One half of the move, as numbers. */
export interface Side {
  readonly inputs: readonly string[];
  input(name: string): number;
  step(state: number, input: number): Step;
  restore(journal: number, observed: number): Step;
  phase(state: number): string;
  /** Whether the table of phases lets the guest run here, or it was restarted and cannot know whether it had committed. */
  mayRun(state: number): boolean;
  /** Every transition that was made, as `from → to`. */
  readonly transitions: ReadonlySet<string>;
  entry(number: number): { at: string };
  /** Whether a failure to write this entry keeps what follows from being done. */
  isVital(entry: number): boolean;
}

interface Reducer<State, Input, Entry, Effect> {
  inputs: Record<string, Input>;
  step: (state: State, input: Input) => { state: State; effects: readonly Effect[] };
  restore: (entries: readonly Entry[], observed: number) => { state: State; effects: readonly Effect[] };
  phases: Record<string, { mayRun: string }>;
  timers: readonly string[];
  messages: readonly string[];
  vital: readonly string[];
}

type AnyEffect = SourceEffect | DestinationEffect;
class Half<
  State extends { phase: string },
  Input,
  Entry extends { at: string },
  Effect extends AnyEffect,
> implements Side {
  readonly inputs: readonly string[];
  readonly transitions = new Set<string>();
  readonly #reducer: Reducer<State, Input, Entry, Effect>;
  readonly #journals: Lists;
  readonly #states = new Values<State>(2);
  readonly #entries = new Values<Entry>();
  /** By state, and then by input. */
  readonly #steps: (Step | undefined)[][] = [];
  readonly #restored = new Map<number, Step>();
  readonly #mayRun: boolean[] = [];

  constructor(reducer: Reducer<State, Input, Entry, Effect>, journals: Lists) {
    this.#reducer = reducer;
    this.#journals = journals;
    this.inputs = Object.keys(reducer.inputs);
  }

  input(name: string): number {
    const number = this.inputs.indexOf(name);
    if (number < 0) throw new RangeError(`there is no input ${name}`);
    return number;
  }

  step(state: number, input: number): Step {
    return this.#steps[state]?.[input] ?? this.#decided(state, input);
  }

  #decided(state: number, input: number): Step {
    const name = this.inputs[input] ?? "";
    const before = this.#states.valueOf(state);
    const step = this.#listed(state, () => this.#reducer.step(before, this.#reducer.inputs[name] as Input));
    this.#note(before.phase, step);
    const steps = (this.#steps[state] ??= new Array<Step | undefined>(this.inputs.length).fill(undefined));
    steps[input] = step;
    return step;
  }

  restore(journal: number, observed: number): Step {
    const key = journal * 128 + observed;
    let step = this.#restored.get(key);
    if (step === undefined) {
      const entries = this.#journals.items(journal).map((entry) => this.#entries.valueOf(entry));
      step = this.#listed(0, () => this.#reducer.restore(entries, observed));
      this.#note("restarted", step);
      this.#restored.set(key, step);
    }
    return step;
  }

  numbered({ state, effects }: { state: State; effects: readonly Effect[] }): Step {
    const numbers = effects.map((effect) => this.#effect(effect));
    const places = [...numbers.keys()];
    return {
      state: this.#states.numberOf(withoutWords(state)),
      effects: numbers,
      wrong: null,
      deaths: places.filter((done) => done > 0 && isSeen(numbers[done - 1] ?? 0)),
      writes: numbers.some((effect) => nameOf(effect) === "journal"),
      writesVital: numbers.some(
        (effect) => nameOf(effect) === "journal" && this.isVital(effect >> effectBits),
      ),
    };
  }

  #listed(before: number, decide: () => { state: State; effects: readonly Effect[] }): Step {
    try {
      return this.numbered(decide());
    } catch (error) {
      if (!(error instanceof UnlistedTransition)) throw error;
      return {
        state: before,
        effects: [],
        wrong: error.message,
        deaths: [],
        writes: false,
        writesVital: false,
      };
    }
  }

  #note(from: string, { state, wrong }: Step): void {
    const to = wrong === null ? this.phase(state) : from;
    if (to !== from) this.transitions.add(`${from} → ${to}`);
  }

  phase(state: number): string {
    return this.#states.valueOf(state).phase;
  }

  mayRun(state: number): boolean {
    return (this.#mayRun[state] ??= this.#decidesToRun(this.#states.valueOf(state)));
  }

  #decidesToRun(state: State): boolean {
    if ("commitForbidden" in state && state.commitForbidden === true) return true;
    const who = this.#reducer.phases[state.phase]?.mayRun ?? "nobody here";
    return !who.startsWith("there") && !who.startsWith("nobody");
  }

  entry(number: number): Entry {
    return this.#entries.valueOf(number);
  }

  isVital(entry: number): boolean {
    return this.#reducer.vital.includes(this.entry(entry).at);
  }

  #effect(effect: Effect): number {
    const numbered = (name: EffectName, argument = 0) => effectNames.indexOf(name) | (argument << effectBits);
    switch (effect.do) {
      case "journal":
        return numbered("journal", this.#entries.numberOf(withoutWords(effect.entry) as unknown as Entry));
      case "send":
        return numbered("send", this.#reducer.messages.indexOf(messageName(effect.message)));
      case "arm":
      case "disarm":
        return numbered(effect.do, this.#reducer.timers.indexOf(effect.timer));
      case "finish":
        return numbered("finish", outcomes.indexOf(effect.outcome.kind));
      case "note":
      case "tune":
      case "announce":
        return numbered("nothing");
      default:
        return numbered(effect.do);
    }
  }
}

const messageName = (message: ToDestination | ToSource): string =>
  message.type === "commit" && message.pauseReason !== undefined ? "commitPaused" : message.type;

/** All of an order that changes while its move goes on. */
const limitsOf = ({ bandwidthBytesPerSecond, maxOutageMs }: MoveOrder) => ({
  bandwidthBytesPerSecond,
  maxOutageMs,
});

/** Every problem is the same problem: decisions look only at whether there is one. */
function withoutWords<T>(value: T): T {
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if ((key === "problem" || key === "died") && inner !== null) return "a problem";
    if (key === "order") return limitsOf(inner as MoveOrder);
    return inner === Number.POSITIVE_INFINITY ? "infinite" : inner;
  });
  return JSON.parse(text, (_key, inner: unknown) => {
    if (inner === "a problem") return problem;
    return inner === "infinite" ? Number.POSITIVE_INFINITY : inner;
  }) as T;
}

export class Rules {
  /** Inputs that wait, journals, questions for leases and commands of QEMU that wait; of inputs there are by far the most. */
  readonly inboxes = new Lists(24);
  readonly journals = new Lists();
  readonly asks = new Lists();
  readonly commands = new Lists();
  readonly leases = new Values<LeaseState>();
  readonly source: Side;
  readonly destination: Side;
  readonly sides: readonly [Side, Side];
  readonly initialSource: number;
  readonly startDestination: Step;
  readonly initialLease: number;
  readonly protocol: Protocol;
  readonly configuration: Configuration;
  /** Of each lease, a bit for each host that holds it. */
  readonly #holders: number[] = [];
  readonly #decisions = new Map<number, { lease: number; answer: number }>();
  readonly #reconciliations = new Map<number, number>();

  constructor(protocol: Protocol, configuration: Configuration) {
    this.protocol = protocol;
    this.configuration = configuration;
    const order = orderFor(configuration);
    const { qemuVersion } = configuration;
    const source = new Half<SourceState, SourceInput, SourceEntry, SourceEffect>(
      {
        inputs: sourceInputs(configuration),
        step: (state, input) => protocol.stepSource({ ...state, order: { ...order, ...state.order } }, input),
        restore: (entries, observed) =>
          protocol.restoreSource(withOrder(entries, order), {
            qemuVersion: (observed & 1) === 0 ? "unknown" : qemuVersion,
            qemuAlive: (observed & 1) !== 0,
            guestRuns: (observed & 2) !== 0,
            pauseReason: (observed & 64) === 0 ? null : "io-error",
            copyCompleted: (observed & 4) !== 0,
            copyFailed: (observed & 32) !== 0,
            postcopy: (observed & 8) === 0 ? null : (observed & 16) === 0 ? "active" : "broken",
          }),
        phases: sourcePhases,
        timers: sourceTimers,
        messages: toDestinationNames,
        vital: protocol.vitalSourceEntries,
      },
      this.journals,
    );
    const destination = new Half<DestinationState, DestinationInput, DestinationEntry, DestinationEffect>(
      {
        inputs: destinationInputs(order, configuration),
        step: (state, input) => protocol.stepDestination({ ...state, order }, input),
        restore: (entries, observed) =>
          protocol.restoreDestination(withOrder(entries, order), {
            qemuAlive: (observed & 1) !== 0,
            guestRuns: (observed & 2) !== 0,
            loaded: (observed & 12) !== 0,
            memoryComplete: (observed & 4) !== 0,
            streamBroken: (observed & 16) !== 0,
            failed: (observed & 32) !== 0,
            listening: null,
          }),
        phases: destinationPhases,
        timers: destinationTimers,
        messages: toSourceNames,
        vital: protocol.vitalDestinationEntries,
      },
      this.journals,
    );
    this.source = source;
    this.destination = destination;
    this.sides = [source, destination];
    this.initialSource = source.numbered({
      state: protocol.initialSource(order, qemuVersion, configuration.paused === true ? "user" : null),
      effects: [],
    }).state;
    this.startDestination = destination.numbered(protocol.startDestination(order));
    this.initialLease = this.leases.numberOf({
      version: 1,
      lastExclusiveHost: "a",
      holders: [{ host: "a", mode: "EX" }],
      fenced: [],
      heard: { a: DECIDED, b: DECIDED, c: DECIDED },
    });
  }

  /** @returns the lease afterwards, and the answer */
  decide(
    lease: number,
    host: number,
    question: number,
    number: number = LATEST,
  ): { lease: number; answer: number } {
    const key = ((lease * 4 + host) * 8 + question) * 4 + number;
    let decided = this.#decisions.get(key);
    if (decided === undefined) {
      const name = hosts[host] ?? "c";
      const asked = questions[question] ?? questions[FENCE];
      const decision = this.protocol.decideLease(
        this.leases.valueOf(lease),
        asked.ask === "fence" ? { ...asked, host: name } : { ...asked, host: name, number },
      );
      if (decision.kind === "overtaken") decided = { lease, answer: UNASKED };
      else {
        const isMissed = decision.lease.fenced.some((one) => one !== name);
        const peer = hosts[1 - host];
        const isPeers = decision.kind === "held" && decision.others.some((other) => other.host === peer);
        const answer = {
          granted: isMissed ? GRANTED_FENCED : GRANTED,
          held: isPeers ? HELD_BY_PEER : HELD_BY_THIRD,
          notHeld: NOT_HELD,
        };
        decided = { lease: this.leases.numberOf(renumbered(decision.lease)), answer: answer[decision.kind] };
      }
      this.#decisions.set(key, decided);
    }
    return decided;
  }

  holds(lease: number, host: number): boolean {
    this.#holders[lease] ??= hosts.reduce(
      (bits, name, one) =>
        this.leases.valueOf(lease).holders.some((holder) => holder.host === name) ? bits | (1 << one) : bits,
      0,
    );
    return ((this.#holders[lease] >> host) & 1) !== 0;
  }

  holdsAlone(lease: number, host: number): boolean {
    const { holders } = this.leases.valueOf(lease);
    return holders.length === 1 && holders[0]?.host === hosts[host] && holders[0]?.mode === "EX";
  }

  isFree(lease: number): boolean {
    return this.leases.valueOf(lease).holders.length === 0;
  }

  /** What a host without a move does about its lease: a question, or -1. */
  reconciliation(lease: number, host: number, hasProcess: boolean, guestRuns: boolean): number {
    const key = ((lease * 4 + host) * 2 + Number(hasProcess)) * 2 + Number(guestRuns);
    let question = this.#reconciliations.get(key);
    if (question === undefined) {
      const { id: vmId } = orderFor(this.configuration).vm;
      const held = this.leases
        .valueOf(lease)
        .holders.filter((holder) => holder.host === hosts[host])
        .map(({ mode }) => ({ vmId, mode }));
      const present = hasProcess ? [{ vmId, runs: guestRuns }] : [];
      const [action] = this.protocol.reconcileLeases(held, present, new Set());
      question = action === undefined ? -1 : reconciling[action.do];
      this.#reconciliations.set(key, question);
    }
    return question;
  }

  /** What the destination's agent does about a message for a move that it does not know. */
  hearWithoutMove(isRefused: boolean, message: number): HeardWithoutMove {
    const known = { kind: isRefused ? ("refused" as const) : ("unknown" as const) };
    const said = toDestinationNames[message] ?? "prepare";
    const name = said === "commitPaused" ? "commit" : said;
    const heard = this.protocol.hearWithoutMove(known, orderFor(this.configuration).id, name);
    if (heard.do === "begin") return heard;
    return { ...heard, answer: toSourceNames.find((one) => one === heard.answer?.type) ?? null };
  }
}

type HeardWithoutMove =
  { do: "begin" } | { do: "answer"; answer: (typeof toSourceNames)[number] | null; refuse: boolean };

const reconciling = {
  release: RELEASE,
  convertToExclusive: CONVERT_EX,
  acquireExclusive: ACQUIRE_EX,
} as const;

const renumbered = (lease: LeaseState): LeaseState => ({
  ...lease,
  heard: { a: DECIDED, b: DECIDED, c: DECIDED },
});

const withOrder = <Entry extends { at: string }>(entries: readonly Entry[], order: MoveOrder): Entry[] =>
  entries.map((entry) => (entry.at === "started" ? { ...entry, order } : entry));
