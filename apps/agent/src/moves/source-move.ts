/** The source's half of one move: does what the reducer decides. */
import type { Hello, MoveLimits, MoveOrder, MoveRecord, Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  chooseStrategy,
  copyLimits,
  isCancellable,
  stepSource,
  vitalSourceEntries,
  type CopySample,
  type PauseMoments,
  type QemuSettings,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceOutcome,
  type SourceState,
  type SourceTimer,
  type ToSource,
} from "@godwit/migration";
import type { MoveDependencies } from "./dependencies.ts";
import type { Journal } from "./journal.ts";
import type { LeaseQuestion } from "./lease-questions.ts";
import { PeerLink } from "./peer-link.ts";
import { ReducerRunner, type RunnerInput, type Step } from "./reducer-runner.ts";
import { beginningState, restoredStep, resumedThere } from "./source-beginning.ts";
import { SourceCopy } from "./source-copy.ts";
import { SourceDisks } from "./source-disks.ts";
import { SourceRecord } from "./source-record.ts";
import { leaseUnknown, SourceVm } from "./source-vm.ts";
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
  readonly #process: QemuProcess | null;
  readonly #claim: Disposable;
  /** Null where QEMU was gone when the agent came back. */
  readonly #copy: SourceCopy | null;
  /** Null where they stay where they are, or QEMU was gone. */
  readonly #disks: SourceDisks | null;
  readonly #vm: SourceVm;
  readonly #end = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<undefined>();
  #peer: PeerLink | null = null;
  #peerHello: Hello | null = null;
  readonly #record: SourceRecord;

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
    this.#process = process;
    this.#claim = claim;
    this.#record = new SourceRecord(order, dependencies.events);
    this.#vm = new SourceVm(order.vm, process, dependencies, this.log);
    this.#copy = this.#follow(copyStatus);
    this.#disks =
      process === null || order.storage === undefined
        ? null
        : new SourceDisks(order, process, {
            onInput: (input) => {
              this.give(input);
            },
            onCopy: (progress) => {
              this.#record.disks(progress);
            },
          });
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
    if (step.state.memorySplit) move.#copy?.watch();
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
    this.#undoWhereItWouldRun(state);
  }

  protected override perform(effect: SourceEffect): void {
    switch (effect.do) {
      case "shareLease":
        this.#askLease("share");
        return;
      case "exclusiveLease":
        this.#askLease("exclusive");
        return;
      case "reacquireLease":
        this.#askLease("reacquire");
        return;
      case "send":
        this.#peer?.send(effect.message);
        if (effect.message.type === "commit") this.#record.moment("committedAtMs");
        else if (effect.message.type === "prepare") this.#copy?.prepare(this.#settings());
        return;
      case "copyDisks":
        this.#copyDisks(effect);
        return;
      case "endDisks":
        this.#endDisks();
        return;
      case "removeDisks":
        this.try(
          () => this.#vm.removeDisks(),
          () => null,
        );
        return;
      case "startCopy":
        this.#ask((copy) => copy.start(effect, this.#settings()), copyEnded);
        return;
      case "tune":
        this.#ask((copy) => copy.tune(effect.parameters));
        return;
      case "pauseVcpus":
        this.#record.switchBegins();
        // STOP tells that it was done; a QEMU that does not answer is told by its end or by the budget.
        this.try(
          async () => {
            await this.#process?.pause();
            return null;
          },
          () => null,
        );
        return;
      case "startPostcopy":
        this.#ask((copy) => copy.startPostcopy());
        return;
      case "breakStream":
        this.#ask((copy) => copy.breakStream());
        return;
      case "resumeStream":
        this.#ask((copy) => copy.resumeStream(effect));
        return;
      case "continueSwitchover":
        this.#ask((copy) => copy.continueSwitchover(), refusedCopyEnded);
        return;
      case "cancelCopy":
        this.#ask(async (copy) => {
          await this.#disks?.cancel();
          return await copy.cancel(this.state.memorySplit);
        });
        return;
      case "resumeVcpus":
        this.#resume();
        return;
      case "activateDisks":
        this.#activateDisks();
        return;
      case "remove":
        this.#remove();
        return;
      case "releaseLease":
        this.#releaseLease();
        return;
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
    }
  }

  #connect(): void {
    this.#peer = new PeerLink(
      this.order,
      this.#dependencies,
      {
        onMessage: (message) => {
          this.#note(message);
          this.give({ type: "message", message, atMs: performance.now() });
        },
        onUp: (peer) => {
          this.#peerHello = peer;
          this.#undoWhereItWouldRun(this.state);
          this.give({ type: "peerUp" });
        },
        onDown: () => {
          this.give({ type: "peerDown" });
        },
        onUnsupported: (problem) => {
          const message = { type: "notUnderstood", message: "prepare", problem } as const;
          this.give({ type: "message", message, atMs: performance.now() });
        },
      },
      this.log,
    );
  }

  /** A guest that stands still does not go to an agent of a version that would let it run. */
  #undoWhereItWouldRun(state: SourceState): void {
    const problem = resumedThere(this.order, state, this.#peerHello);
    if (problem !== null) this.give({ type: "cancel", problem });
  }

  /** What the record learns from the destination's words. */
  #note(message: ToSource): void {
    if (message.type === "running" || message.type === "postcopyReceiving") this.#record.guestRuns(message);
    else if (message.type === "ready") this.#record.moment("completedAtMs");
    else if (message.type === "announced") this.#record.announced(message.announceMs);
  }

  #settings(): QemuSettings {
    const { order, qemuVersion } = this.state;
    return chooseStrategy(order, qemuVersion).sourceSettings(order, copyLimits(order, qemuVersion));
  }

  #askLease(question: LeaseQuestion): void {
    this.try(() => this.#vm.askLease(question), leaseUnknown);
  }

  #follow(copyStatus: string): SourceCopy | null {
    const process = this.#process;
    if (process === null) return null;
    void process.ended.then(({ reason, heardAll }) => {
      this.give({ type: "qemuGone", reason, heardAll });
    });
    const listener = {
      onInput: (input: SourceInput) => {
        this.give(input);
      },
      onSample: (sample: CopySample) => {
        this.#sampled(sample);
      },
      onMoment: (moment: keyof PauseMoments, atMs: number) => {
        this.#record.moment(moment, atMs);
      },
      onGuestRuns: () => {
        this.#record.guestRunsOn();
      },
    };
    const destinationName = () => this.#peer?.destinationName ?? this.order.to.host;
    const agent = { config: this.#dependencies.config, destinationName, log: this.log };
    return new SourceCopy(this.order, process, copyStatus, listener, agent);
  }

  /** A destination that does not respond, or a host whose own lease is not renewed, could not run the VM. */
  #sampled(sample: CopySample): void {
    const { order } = this;
    const isUp = this.#peer?.isFresh === true;
    const peerFresh =
      isUp && this.#dependencies.lockspaces.areFresh(order.vm.datastore, [order.from, order.to.host]);
    this.give({ type: "sample", sample, peerFresh });
  }

  #copyDisks(told: { address: string; port: number }): void {
    const disks = this.#disks;
    if (disks === null) return;
    this.#ask(
      async (copy) => await disks.copy(await copy.disksPlace(told, this.#settings())),
      (problem) => disks.failed(problem),
    );
  }

  #endDisks(): void {
    const disks = this.#disks;
    if (disks === null) return;
    this.try(
      () => disks.end(),
      (problem) => disks.failed(problem),
    );
  }

  /** A refusal that tells nothing is made up for by QEMU's events, its end, or the next attempt. */
  #ask(
    action: (copy: SourceCopy) => Promise<SourceInput | null>,
    refused: (problem: Problem) => SourceInput | null = () => null,
  ): void {
    const copy = this.#copy;
    if (copy === null) return;
    this.try(
      () => action(copy),
      (problem) => {
        this.log.warn({ problem }, "a step of the copy was not done");
        return refused(problem);
      },
    );
  }

  #resume(): void {
    // QEMU that is gone is told by itself.
    this.try(
      () => this.#vm.resume(),
      () => null,
    );
  }

  #activateDisks(): void {
    this.try(
      () => this.#vm.activateDisks(),
      ({ detail }) => ({ type: "resumeFailed", reason: detail }),
    );
  }

  #remove(): void {
    this.#copy?.unwatch();
    this.try(
      async () => {
        await this.#lastFigures();
        return await this.#vm.remove(this.state.phase === "cleaningUp" ? "moved" : null);
      },
      (problem) => {
        this.log.error({ problem }, "the VM could not be removed");
        return { type: "removed" };
      },
    );
  }

  async #lastFigures(): Promise<void> {
    if (this.#process !== null) this.#record.figures((await this.#copy?.figures()) ?? {});
  }

  #releaseLease(): void {
    this.try(
      () => this.#vm.releaseLease(),
      () => null,
    );
  }

  async #finish(outcome: SourceOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.#copy?.[Symbol.dispose]();
    this.#disks?.[Symbol.dispose]();
    this.clearTimers();
    if (outcome.kind === "stayed" && this.#process !== null) {
      await this.#lastFigures();
      await this.#copy?.forgetCredentials().catch(() => undefined);
    }
    await this.#vm.removed();
    this.#vm.settle(outcome, this.state.pauseReason);
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind, record: this.record }, "move ended");
    this.#record.tell();
    this.#record[Symbol.dispose]();
    this.#end.resolve(undefined);
  }

  /** It had ended already; only its destination may not know yet. */
  async #endedBefore(): Promise<void> {
    this.#copy?.[Symbol.dispose]();
    this.#disks?.[Symbol.dispose]();
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

/** Who does not answer has not refused: the switch's own clock, and QEMU's events, tell what becomes of it. */
const refusedCopyEnded = (problem: Problem): SourceInput | null =>
  problem.code === "QMP_REFUSED" ? copyEnded(problem) : null;

const copyEnded = ({ detail }: Problem): SourceInput => ({ type: "copyEnded", reason: detail });
