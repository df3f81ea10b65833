/** The source's half of one move: its life from the order to its end. What the reducer decides is done by `source-actions.ts`. */
import type { MoveLimits, MoveOrder, MoveRecord } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  isCancellable,
  stepSource,
  vitalSourceEntries,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceOutcome,
  type SourceState,
  type SourceTimer,
} from "@godwit/migration";
import type { MoveDependencies } from "./dependencies.ts";
import type { Journal } from "./journal.ts";
import { ReducerRunner, type RunnerInput, type Step } from "./reducer-runner.ts";
import { SourceActions } from "./source-actions.ts";
import { beginningState, restoredStep } from "./source-beginning.ts";
import { SourcePeer } from "./source-peer.ts";
import { SourceRecord } from "./source-record.ts";
import { whileItLives } from "./while-it-lives.ts";

export class SourceMove extends ReducerRunner<
  SourceState,
  SourceInput,
  SourceEntry,
  SourceTimer,
  SourceEffect
> {
  override readonly role = "source";
  readonly order: MoveOrder;
  /** Resolves when the move is over and its record is complete. */
  readonly ended: Promise<void>;
  /** Resolves when the destination needs nothing more of it either. */
  readonly closed: Promise<void>;
  readonly #dependencies: MoveDependencies;
  readonly #claim: Disposable;
  readonly #record: SourceRecord;
  readonly #actions: SourceActions;
  readonly #end = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<undefined>();
  #peer: SourcePeer | null = null;

  private constructor(
    order: MoveOrder,
    state: SourceState,
    process: QemuProcess | null,
    copyStatus: string,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    dependencies: MoveDependencies,
  ) {
    super(
      state,
      journal,
      dependencies.log.child({ move: order.id, vm: order.vm.name, role: "source" }),
      dependencies.pauses,
    );
    this.order = order;
    this.ended = this.#end.promise;
    this.closed = this.#closed.promise;
    this.#dependencies = dependencies;
    this.#claim = claim;
    this.#record = new SourceRecord(order, dependencies.events);
    const move = {
      ...{ order, process, record: this.#record, log: this.log },
      state: () => this.state,
      peer: () => this.#peer,
      give: (input: SourceInput) => {
        this.give(input);
      },
      try: (...[action, failed]: Parameters<SourceMove["try"]>) => {
        this.try(action, failed);
      },
    };
    this.#actions = new SourceActions(move, copyStatus, dependencies);
  }

  static async begin(
    order: MoveOrder,
    process: QemuProcess,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    dependencies: MoveDependencies,
  ): Promise<SourceMove> {
    const state = await beginningState(order, process, dependencies);
    const move = new SourceMove(state.order, state, process, "none", claim, journal, dependencies);
    move.#connect();
    move.give({ type: "start" });
    return move;
  }

  /** Goes on where an earlier agent was stopped. */
  static async restore(
    entries: readonly SourceEntry[],
    process: QemuProcess | null,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    dependencies: MoveDependencies,
  ): Promise<SourceMove> {
    const { process: living, answer } = await whileItLives(process, (one) => restoredStep(entries, one));
    const { step, copyStatus } = answer;
    const move = new SourceMove(
      step.state.order,
      step.state,
      living,
      copyStatus,
      claim,
      journal,
      dependencies,
    );
    move.#record.decision({ kind: "agentRestarted" });
    move.#connect();
    if (step.state.memorySplit) move.#actions.watchCopy();
    if (step.state.phase === "ended") await move.#endedBefore();
    move.enter(step);
    return move;
  }

  get record(): MoveRecord {
    return this.#record.current;
  }

  get cancellable(): boolean {
    return isCancellable(this.state);
  }

  cancel(): void {
    this.give({ type: "cancel" });
  }

  /** What of them is new is in its record as a decision. */
  setLimits(limits: MoveLimits, because: "asked" | "shared"): void {
    this.give({ type: "limits", limits, because });
  }

  protected override step(state: SourceState, input: SourceInput): Step<SourceState, SourceEffect> {
    if (input.type === "sample") this.#record.sample(state, input.sample);
    return stepSource(state, input);
  }

  protected override runnerInput(input: RunnerInput<SourceTimer>): SourceInput {
    return input;
  }
  protected override isVital(entry: SourceEntry): boolean {
    return vitalSourceEntries.includes(entry.at);
  }

  protected override changed(state: SourceState): void {
    this.#record.changed(state);
    this.#peer?.undoWhereItWouldRun(state);
  }

  protected override perform(effect: SourceEffect): void {
    switch (effect.do) {
      case "note":
        this.log.info({ decision: effect.decision }, "decided");
        this.#record.decision(effect.decision);
        return;
      case "finish":
        void this.#finish(effect.outcome);
        return;
      case "close":
        void this.#close();
        return;
      case "journal":
      case "arm":
      case "disarm":
        return;
      default:
        this.#actions.perform(effect);
    }
  }

  #connect(): void {
    this.#peer = new SourcePeer(this.order, this.#dependencies, {
      state: () => this.state,
      give: (input) => {
        this.give(input);
      },
      ...{ record: this.#record, log: this.log },
    });
  }

  async #finish(outcome: SourceOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.clearTimers();
    await this.#actions.settle(outcome);
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind, record: this.record }, "move ended");
    if (outcome.kind === "moved") this.#dependencies.departed.watch(this.order.vm, this.order.to.host);
    this.#record.tell();
    this.#record[Symbol.dispose]();
    this.#end.resolve(undefined);
  }

  /** It had ended already; only its destination may not know yet. */
  async #endedBefore(): Promise<void> {
    this.#actions[Symbol.dispose]();
    this.#record[Symbol.dispose]();
    this.#claim[Symbol.dispose]();
    this.#end.resolve(undefined);
    await this.ended;
  }

  async #close(): Promise<void> {
    await this.ended;
    this.#peer?.close();
    await this.journal.close().catch(() => undefined);
    this.#closed.resolve(undefined);
  }
}
