/** The destination's half of one move: its life from the order to its end. What the reducer decides is done by `destination-actions.ts`. */
import type { MoveOrder, MoveRecord } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  movePhaseOfDestination,
  newRecord,
  restoreDestination,
  startDestination,
  stepDestination,
  vitalDestinationEntries,
  type DestinationEffect,
  type DestinationEntry,
  type DestinationInput,
  type DestinationOutcome,
  type DestinationState,
  type DestinationTimer,
  type ToDestination,
} from "@godwit/migration";
import type { MoveDependencies } from "./dependencies.ts";
import { DestinationActions } from "./destination-actions.ts";
import { observeDestination } from "./destination-copy.ts";
import type { Journal } from "./journal.ts";
import { AcceptedPeer, type DestinationLine } from "./peer-link.ts";
import { ReducerRunner, type RunnerInput, type Step } from "./reducer-runner.ts";
import { whileItLives } from "./while-it-lives.ts";

export class DestinationMove extends ReducerRunner<
  DestinationState,
  DestinationInput,
  DestinationEntry,
  DestinationTimer,
  DestinationEffect
> {
  override readonly role = "destination";
  readonly order: MoveOrder;
  readonly ended: Promise<void>;
  readonly closed: Promise<void>;
  readonly #claim: Disposable;
  readonly #peer = new AcceptedPeer();
  readonly #end = Promise.withResolvers<undefined>();
  readonly #beganAt = new Date().toISOString();
  readonly #actions: DestinationActions;
  #record: MoveRecord;

  private constructor(
    state: DestinationState,
    process: QemuProcess | null,
    copyStatus: string,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    dependencies: MoveDependencies,
  ) {
    const { order } = state;
    super(
      state,
      journal,
      dependencies.log.child({ move: order.id, vm: order.vm.name, role: "destination" }),
      dependencies.pauses,
    );
    this.order = order;
    this.ended = this.#end.promise;
    this.closed = this.ended;
    this.#claim = claim;
    this.#record = newRecord(order, this.#beganAt);
    const move = {
      ...{ order, log: this.log, peer: this.#peer },
      state: () => this.state,
      give: (input: DestinationInput) => {
        this.give(input);
      },
      try: (...[action, failed]: Parameters<DestinationMove["try"]>) => {
        this.try(action, failed);
      },
    };
    const hasFiles = state.wasPrepared || state.phase !== "preparing";
    this.#actions = new DestinationActions(move, { process, copyStatus, hasFiles }, dependencies);
  }

  static begin(
    order: MoveOrder,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    dependencies: MoveDependencies,
  ): DestinationMove {
    const step = startDestination(order);
    const move = new DestinationMove(step.state, null, "none", claim, journal, dependencies);
    move.enter(step);
    return move;
  }

  /** Goes on where an earlier agent was stopped. */
  static async restore(
    entries: readonly DestinationEntry[],
    process: QemuProcess | null,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    dependencies: MoveDependencies,
  ): Promise<DestinationMove> {
    const { process: living, answer } = await whileItLives(process, observeDestination);
    const { observed, status } = answer;
    const step = restoreDestination(entries, observed);
    const move = new DestinationMove(step.state, living, status, claim, journal, dependencies);
    move.enter(step);
    if (status.startsWith("postcopy-") && step.state.phase === "receiving") move.#actions.awaitHalf();
    return move;
  }

  get record(): MoveRecord {
    return this.#record;
  }

  get isRunning(): boolean {
    return this.state.phase === "running";
  }

  /** Another action on the VM begins here: it takes over the lease. */
  async supersede(): Promise<void> {
    this.give({ type: "superseded" });
    await this.ended;
  }

  /** The source has made a line. */
  attach(line: DestinationLine): void {
    this.#peer.attach(line, () => {
      this.give({ type: "peerDown" });
    });
    this.give({ type: "peerUp" });
  }

  hear(message: ToDestination): void {
    const atMs = performance.now();
    if (message.type === "commit") this.#actions.committed(atMs);
    this.give({ type: "message", message, atMs });
  }

  protected override step(
    state: DestinationState,
    input: DestinationInput,
  ): Step<DestinationState, DestinationEffect> {
    return stepDestination(state, input);
  }
  protected override runnerInput(input: RunnerInput<DestinationTimer>): DestinationInput {
    return input;
  }
  protected override isVital(entry: DestinationEntry): boolean {
    return vitalDestinationEntries.includes(entry.at);
  }

  protected override changed(state: DestinationState): void {
    const phase = movePhaseOfDestination(state, this.#record.phase);
    if (phase === this.#record.phase) return;
    const at = new Date().toISOString();
    this.#record = {
      ...this.#record,
      phase,
      phases: [...this.#record.phases, { phase, at }],
      pauseReason: state.pauseReason,
      error: state.outcome === null || state.outcome.kind === "runs" ? null : state.outcome.problem,
    };
  }

  protected override perform(effect: DestinationEffect): void {
    switch (effect.do) {
      case "finish":
        void this.#finish(effect.outcome);
        return;
      case "journal":
      case "arm":
      case "disarm":
        return;
      default:
        this.#actions.perform(effect);
    }
  }

  async #finish(outcome: DestinationOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.clearTimers();
    await this.#actions.settle(outcome);
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind }, "move ended");
    this.#end.resolve(undefined);
    await this.journal.close().catch(() => undefined);
  }
}
