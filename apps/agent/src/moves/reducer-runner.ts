/**
 * Runs the reducer of one half of a move: inputs are taken one after the other, each is given to the reducer, and its
 * effects are done in order. An entry of the journal is on disk before what follows it. A transition that the table
 * of phases does not list is refused: nothing of that step is done, and the log says so.
 */
import { GodwitError, problemOfUnexpected, type Problem } from "@godwit/contract";
import { UnlistedTransition } from "@godwit/migration";
import type { Logger } from "pino";
import type { Journal, Role } from "./journal.ts";
import type { PausePoints } from "./pause-points.ts";

export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** A timer ran out, or an entry that must be written could not be. */
export type RunnerInput<Timer> =
  { type: "timer"; timer: Timer; atMs: number } | { type: "journalFailed"; problem: Problem };

interface JournalEffect<Entry> {
  do: "journal";
  entry: Entry;
}

type Armed<Timer extends string> =
  { do: "arm"; timer: Timer; afterMs: number } | { do: "disarm"; timer: Timer };

type CommonEffect<Entry, Timer extends string> = JournalEffect<Entry> | Armed<Timer>;

export abstract class ReducerRunner<
  State extends { readonly phase: string },
  Input extends { type: string; message?: { type: string }; answer?: { kind: string } },
  Entry extends { at: string },
  Timer extends string,
  Effect extends { do: string },
> {
  protected readonly log: Logger;
  protected readonly journal: Journal<Entry>;
  readonly #pauses: PausePoints | null;
  readonly #inputs: Input[] = [];
  readonly #timers = new Map<Timer, NodeJS.Timeout>();
  /** Of timers that ran out and were not taken yet. */
  readonly #expiries = new Map<Timer, Input>();
  #state: State;
  #busy = false;

  /** @param pauses null, but in tests */
  constructor(state: State, journal: Journal<Entry>, log: Logger, pauses: PausePoints | null) {
    this.#state = state;
    this.journal = journal;
    this.log = log;
    this.#pauses = pauses;
  }

  abstract readonly role: Role;

  get journalPath(): string {
    return this.journal.path;
  }

  get state(): State {
    return this.#state;
  }

  /** The pure half. */
  protected abstract step(state: State, input: Input): Step<State, Effect>;
  /** One effect; returns at once, and gives its outcome back as an input. */
  protected abstract perform(effect: Effect): void;
  /** Called with every new state. */
  protected abstract changed(state: State): void;
  /** What this runner itself has to tell the reducer. */
  protected abstract runnerInput(input: RunnerInput<Timer>): Input;
  /** Whether a failure to write this entry must keep what follows from being done. */
  protected abstract isVital(entry: Entry): boolean;

  protected give(input: Input): void {
    this.#inputs.push(input);
    if (!this.#busy) void this.#drain();
  }

  /** Enters a state that was decided elsewhere (the start, a restart) and does its effects. */
  protected enter(step: Step<State, Effect>): void {
    this.#busy = true;
    void this.#take(step).then(() => this.#drain());
  }

  protected clearTimers(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Runs an action and gives its outcome as an input; an error that nobody expected is a bug, and is logged. */
  protected try(action: () => Promise<Input | null>, failed: (problem: Problem) => Input | null): void {
    action()
      .catch((error: unknown) => {
        if (!GodwitError.is(error)) this.log.error({ err: error }, "an action of a move failed by a bug");
        return failed(GodwitError.is(error) ? error.problem : internal(error));
      })
      .then(
        (input) => {
          if (input !== null) this.give(input);
        },
        (error: unknown) => {
          this.log.error({ err: error }, "a move could not go on");
        },
      );
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let input = this.#inputs.shift(); input !== undefined; input = this.#inputs.shift()) {
      if (this.#pauses !== null)
        await this.#pass(`takes ${input.message?.type ?? input.answer?.kind ?? input.type}`);
      const step = this.#decide(input);
      if (step !== null) await this.#take(step);
    }
    this.#busy = false;
  }

  /** Null where the reducer would leave its table: a bug, and the move goes on as if the input had not come. */
  #decide(input: Input): Step<State, Effect> | null {
    try {
      return this.step(this.#state, input);
    } catch (error) {
      if (!(error instanceof UnlistedTransition)) throw error;
      const { phase } = this.#state;
      this.log.error({ err: error, phase, input }, "a transition of a move is refused: it is in no table");
      return null;
    }
  }

  async #take({ state, effects }: Step<State, Effect>): Promise<void> {
    this.#state = state;
    for (const [index, effect] of effects.entries()) {
      const common = effect as unknown as CommonEffect<Entry, Timer>;
      if (common.do === "journal") {
        const problem = await this.#write(common.entry);
        if (problem !== null && this.isVital(common.entry)) {
          this.log.warn({ problem, skipped: effects.length - index - 1 }, "journal not written");
          this.#inputs.unshift(this.runnerInput({ type: "journalFailed", problem }));
          break;
        }
        if (this.#pauses !== null) await this.#pass(`wrote ${common.entry.at}`);
      } else if (common.do === "arm") {
        this.#arm(common.timer, common.afterMs);
      } else if (effect.do === "disarm") {
        this.#disarm(common.timer);
      } else {
        if (this.#pauses !== null) await this.#pass(`does ${effect.do}`);
        this.perform(effect);
      }
    }
    this.changed(state);
  }

  async #pass(moment: string): Promise<void> {
    await this.#pauses?.pass(this.role, this.#state.phase, moment);
  }

  async #write(entry: Entry): Promise<Problem | null> {
    try {
      await this.journal.append(entry);
      return null;
    } catch (error) {
      this.log.error({ err: error, entry: entry.at }, "the move's journal could not be written");
      return GodwitError.is(error) ? error.problem : internal(error);
    }
  }

  #arm(timer: Timer, afterMs: number): void {
    this.#disarm(timer);
    this.#timers.set(
      timer,
      setTimeout(() => {
        this.#timers.delete(timer);
        const expiry = this.runnerInput({ type: "timer", timer, atMs: performance.now() });
        this.#expiries.set(timer, expiry);
        this.give(expiry);
      }, afterMs),
    );
  }

  /** Also where it ran out while other inputs were taken, and waits behind them: it says nothing of the state that they led to. */
  #disarm(timer: Timer): void {
    clearTimeout(this.#timers.get(timer));
    this.#timers.delete(timer);
    const expiry = this.#expiries.get(timer);
    this.#expiries.delete(timer);
    const at = expiry === undefined ? -1 : this.#inputs.indexOf(expiry);
    if (at !== -1) this.#inputs.splice(at, 1);
  }
}

function internal(error: unknown): Problem {
  return problemOfUnexpected(error, error instanceof Error ? error.message : String(error));
}
