/** The destination's half of one move: does what the reducer decides. */
import { arrivingVm, type MoveOrder, type MoveRecord, type Vm } from "@godwit/contract";
import { withdrawDisks, type QemuProcess } from "@godwit/hypervisor";
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
  type StartTimes,
  type ToDestination,
} from "@godwit/migration";
import { describeArrived, endArrival, removeArrived } from "@godwit/storage";
import { reasonOf } from "../reason.ts";
import { correctGuestClock } from "../vms/guest-clock.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { DestinationCopy, observeDestination } from "./destination-copy.ts";
import { prepareIncoming } from "./incoming-vm.ts";
import type { Journal } from "./journal.ts";
import { askLease, unknownAnswer } from "./lease-questions.ts";
import { AcceptedPeer, type DestinationLine } from "./peer-link.ts";
import { resumeForSure } from "./resume.ts";
import { untilDone } from "./until-done.ts";
import { removeVm } from "./vm-removal.ts";
import { WallClock } from "./wall-clock.ts";
import { whileItLives } from "./while-it-lives.ts";
import { ReducerRunner, type RunnerInput, type Step } from "./reducer-runner.ts";

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
  readonly #dependencies: MoveDependencies;
  readonly #claim: Disposable;
  readonly #peer = new AcceptedPeer();
  readonly #end = Promise.withResolvers<undefined>();
  readonly #beganAt = new Date().toISOString();
  /** Null until its QEMU is started, and where that was gone when the agent came back. */
  #copy: DestinationCopy | null;
  #preparing: Promise<unknown> = Promise.resolve();
  #tapsRemoved: Promise<void> = Promise.resolve();
  readonly #clock = new WallClock();
  #commitAtMs: number | null = null;
  #record: MoveRecord;
  /** As it is described here. */
  readonly #vm: Vm;
  /** Files of the VM may have been made here by this move. */
  #hasFiles: boolean;

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
    this.#vm = arrivingVm(order);
    this.#hasFiles = state.wasPrepared || state.phase !== "preparing";
    this.ended = this.#end.promise;
    this.closed = this.ended;
    this.#dependencies = dependencies;
    this.#claim = claim;
    this.#record = newRecord(order, this.#beganAt);
    this.#copy = process === null ? null : this.#follow(process, copyStatus);
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
    if (status.startsWith("postcopy-") && step.state.phase === "receiving") void move.#copy?.awaitHalf();
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
    if (message.type === "commit") this.#commitAtMs ??= atMs;
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
      case "prepare":
        this.#prepare();
        return;
      case "send":
        this.#peer.send(effect.message);
        return;
      case "resumeVcpus":
        this.#resume();
        return;
      case "activateDisks":
        this.#activateDisks();
        return;
      case "announce":
        this.#announce();
        return;
      case "recoverStream":
        this.#recoverStream();
        return;
      case "exclusiveLease":
        this.#exclusiveLease();
        return;
      case "remove":
        this.#remove();
        return;
      case "removeDisks":
        this.#removeDisks();
        return;
      case "releaseLease":
        this.#releaseLease();
        return;
      case "finish":
        void this.#finish(effect.outcome);
        return;
      case "journal":
      case "arm":
      case "disarm":
        return;
    }
  }

  #prepare(): void {
    const preparation = prepareIncoming(this.#dependencies, this.order, {
      onStarted: (process) => {
        this.#copy = this.#follow(process, "none");
      },
      onDisks: () => {
        this.#hasFiles = true;
      },
    });
    this.#preparing = preparation.catch(() => undefined);
    this.try(
      async () => ({ type: "prepared", ...(await preparation) }),
      (problem) => ({ type: "prepareFailed", problem }),
    );
  }

  #follow(process: QemuProcess, copyStatus: string): DestinationCopy {
    return new DestinationCopy(process, copyStatus, (input) => {
      this.give(input);
    });
  }

  #recoverStream(): void {
    const copy = this.#copy;
    const { migration } = this.#dependencies.config;
    if (copy === null || migration === undefined) return;
    this.try(
      () => copy.recover(migration, this.state.phase !== "receiving"),
      (problem) => {
        this.log.warn({ problem }, "QEMU does not listen again yet");
        return null;
      },
    );
  }

  #resume(): void {
    const process = this.#copy?.process;
    if (process === undefined) return;
    this.try(
      async () => {
        const problem = await this.#takeOver(process);
        if (problem !== null) return { type: "resumeFailed", reason: problem };
        const contAtMs = performance.now();
        const refusal = await resumeForSure(process);
        if (refusal !== null) return { type: "resumeFailed", reason: refusal };
        const commitToResumeMs = this.#commitAtMs === null ? 0 : performance.now() - this.#commitAtMs;
        this.#dependencies.processes.mark(process.vmId, "running");
        return { type: "resumed", commitToResumeMs, start: this.#startTimes(contAtMs) };
      },
      () => null, // QEMU is gone, which is told by itself
    );
  }

  /** The disks that came with the VM, and its TPM's state, are its own from now on, and nobody else writes to them. @returns why that is not so; null: it is */
  async #takeOver(process: QemuProcess): Promise<string | null> {
    try {
      await process.takeTpm();
      if (this.order.storage === undefined) return null;
      await withdrawDisks(process);
      await this.#describe();
      return null;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async #describe(): Promise<void> {
    const datastore = await this.#dependencies.environment.datastore(this.#vm.datastore);
    await describeArrived(datastore, { move: this.order.id, vm: this.#vm });
  }

  #removeDisks(): void {
    const { environment } = this.#dependencies;
    const remove = async () => {
      const datastore = await environment.datastore(this.#vm.datastore);
      await removeArrived(datastore, { move: this.order.id, vm: this.#vm });
    };
    this.try(
      async () => {
        if (this.#hasFiles) await untilDone(remove, "to remove what it has made of the VM's files", this.log);
        return { type: "disksRemoved" };
      },
      () => null,
    );
  }

  /** The guest stands still here as it did at the source. */
  #activateDisks(): void {
    const process = this.#copy?.process;
    if (process === undefined) return;
    this.try(
      async () => {
        const problem = await this.#takeOver(process);
        if (problem !== null) return { type: "resumeFailed", reason: problem };
        await process.activateDisks();
        const { pauseReason } = this.state;
        if (pauseReason !== null) this.#dependencies.processes.paused(process.vmId, pauseReason);
        return { type: "disksActive" };
      },
      ({ detail }) => ({ type: "resumeFailed", reason: detail }),
    );
  }

  /** This host's part of the pause. */
  #startTimes(contAtMs: number): StartTimes | null {
    if (this.#commitAtMs === null) return null;
    const resumedAtMs = this.#copy?.resumedAtMs ?? null;
    const resumeMs = resumedAtMs === null ? null : resumedAtMs - this.#clock.at(contAtMs);
    return {
      contMs: contAtMs - this.#commitAtMs,
      resumeMs: resumeMs === null ? null : Math.max(0, resumeMs),
    };
  }

  #announce(): void {
    const copy = this.#copy;
    if (copy === null) return;
    correctGuestClock(copy.process, this.log);
    this.try(
      async () => {
        await copy.process.migration.announce();
        const { resumedAtMs } = copy;
        if (resumedAtMs === null) return null;
        const announceMs = Math.max(0, this.#clock.at(performance.now()) - resumedAtMs);
        return { type: "announced", announceMs };
      },
      () => null,
    );
  }

  #lookAgain(): void {
    const copy = this.#copy;
    if (copy === null) return;
    this.try(
      () => copy.lookAgain(this.state.streamBroken),
      () => null, // it waits for memory
    );
  }

  #exclusiveLease(): void {
    if (this.state.phase === "postcopyReceiving") this.#lookAgain();
    const { leases, config } = this.#dependencies;
    this.try(
      async () => {
        const answer = await askLease(leases, config.name, this.#vm, "exclusive");
        if (answer.kind === "notHeld") this.log.error("this host's share of the VM's lease was taken away");
        return { type: "leaseAnswered", answer };
      },
      (problem) => ({ type: "leaseAnswered", answer: unknownAnswer(problem) }),
    );
  }

  #remove(): void {
    const as = this.state.phase === "died" ? "lost" : "moved";
    this.try(
      async () => {
        await this.#preparing;
        const process = this.#copy?.process ?? null;
        const { tapsRemoved } = await removeVm(this.#dependencies, this.log, this.#vm, process, as);
        this.#tapsRemoved = tapsRemoved;
        // Before anybody is told: from here it is started again.
        if (as === "lost" && this.order.storage !== undefined)
          await untilDone(() => this.#describe(), "to describe the VM whose disks it has brought", this.log);
        return { type: "removed" };
      },
      (problem) => {
        this.log.error({ problem }, "the VM could not be removed");
        return { type: "removed" };
      },
    );
  }

  #releaseLease(): void {
    this.try(
      async () => {
        await this.#dependencies.leases.releaseForSure(this.#vm);
        return { type: "released" };
      },
      () => null,
    );
  }

  async #finish(outcome: DestinationOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.clearTimers();
    this.#clock[Symbol.dispose]();
    this.#copy?.[Symbol.dispose]();
    if (outcome.kind === "runs")
      await this.#copy?.process.migration.forgetCredentials().catch(() => undefined);
    await this.#tapsRemoved;
    if (this.order.storage !== undefined && outcome.kind !== "gaveUp") await this.#endArrival();
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind }, "move ended");
    this.#end.resolve(undefined);
    await this.journal.close().catch(() => undefined);
  }

  /** A mark that stays does no harm: it goes with the VM. */
  async #endArrival(): Promise<void> {
    try {
      const datastore = await this.#dependencies.environment.datastore(this.#vm.datastore);
      await endArrival(datastore, { move: this.order.id, vm: this.#vm });
    } catch (error) {
      this.log.warn({ err: error }, "the mark of the move was not removed from the VM's folder");
    }
  }
}
