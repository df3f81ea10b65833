/** The destination's half of one move: does what the reducer decides. */
import { GodwitError, type MoveOrder, type MoveRecord, type Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  movePhaseOfDestination,
  newRecord,
  requestedStrategy,
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
import { qemuOverheadBytes } from "@godwit/requirements";
import { migrationCredentialsFolder } from "../config.ts";
import { memoryLoad } from "../host/memory.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Journal } from "./journal.ts";
import type { MoveDependencies } from "./dependencies.ts";
import { correctGuestClock } from "../vms/guest-clock.ts";
import { askLease, unknownAnswer } from "./lease-questions.ts";
import { AcceptedPeer, type DestinationLine } from "./peer-link.ts";
import { resumeForSure } from "./resume.ts";
import { removeVm } from "./vm-removal.ts";
import { WallClock } from "./wall-clock.ts";
import { ReducerRunner, type Step } from "./reducer-runner.ts";

const halfEveryMs = 2;
const breakLimitMs = 3000;

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
  readonly #listeners: Disposable[] = [];
  readonly #end = Promise.withResolvers<undefined>();
  readonly #beganAt = new Date().toISOString();
  #process: QemuProcess | null;
  #preparing: Promise<unknown> = Promise.resolve();
  readonly #clock = new WallClock();
  #commitAtMs: number | null = null;
  /** QEMU's RESUME, by the wall clock. */
  #resumedAtMs: number | null = null;
  /** QEMU's word for the copy, as last heard. */
  #copyStatus = "none";
  /** Where QEMU listens for the rest of a post-copy. */
  #rest: { address: string; port: number } | null = null;
  #recovering = false;
  #looking = false;
  #record: MoveRecord;

  private constructor(
    state: DestinationState,
    process: QemuProcess | null,
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
    this.#dependencies = dependencies;
    this.#claim = claim;
    this.#process = process;
    this.#record = newRecord(order, this.#beganAt);
    if (process !== null) this.#follow(process);
  }

  static begin(
    order: MoveOrder,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    dependencies: MoveDependencies,
  ): DestinationMove {
    const step = startDestination(order);
    const move = new DestinationMove(step.state, null, claim, journal, dependencies);
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
    const status = process === null ? null : await process.status();
    const migration = process === null ? null : await process.migration.query();
    const isPostcopy = migration?.status.startsWith("postcopy-") === true;
    const step = restoreDestination(entries, {
      qemuAlive: process !== null,
      guestRuns: status?.running === true,
      loaded: migration?.status === "completed" || (isPostcopy && status?.status !== "inmigrate"),
      memoryComplete: migration?.status === "completed",
      streamBroken: isPostcopy && migration.status !== "postcopy-active",
      failed: migration?.status === "failed",
      listening: null,
    });
    const move = new DestinationMove(step.state, process, claim, journal, dependencies);
    move.#copyStatus = migration?.status ?? "none";
    move.enter(step);
    if (isPostcopy && step.state.phase === "receiving") void move.#awaitHalf();
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
  protected override timerInput(timer: DestinationTimer): DestinationInput {
    return { type: "timer", timer, atMs: performance.now() };
  }
  protected override journalFailed(problem: Problem): DestinationInput {
    return { type: "journalFailed", problem };
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
    const preparation = this.#prepared();
    this.#preparing = preparation.catch(() => undefined);
    this.try(
      async () => ({ type: "prepared", ...(await preparation) }),
      (problem) => ({ type: "prepareFailed", problem }),
    );
  }

  /** Everything that the VM needs here, made ready; what fails is undone by `remove` and `releaseLease`. */
  async #prepared(): Promise<{ address: string; port: number }> {
    const { config, environment, hypervisor, leases, processes } = this.#dependencies;
    const { vm, accelerator, from } = this.order;
    const host = config.name;
    const address = config.migration?.address;
    if (address === undefined) throw GodwitError.of("MIGRATION_NETWORK_MISSING", { host });
    const neededBytes = vm.memoryMib * 1024 * 1024 + qemuOverheadBytes;
    const { availableBytes } = memoryLoad();
    if (availableBytes < neededBytes) {
      throw GodwitError.of("DESTINATION_MEMORY_SHORT", { host, neededBytes, availableBytes });
    }
    const spec = await environment.launchSpec(vm, accelerator, true);
    const [lease] = await Promise.all([leases.acquire(vm, "SH"), environment.createTaps(vm)]);
    if (lease.kind === "refused") throw lease.error;
    const process = await hypervisor.start(spec, leases.launcher(vm));
    this.#process = process;
    processes.add(process, "incoming");
    this.#follow(process);
    const { destinationSettings, refusedAs } = requestedStrategy(this.order);
    await process.migration.configure(destinationSettings).catch((error: unknown) => {
      if (refusedAs === null || !GodwitError.is(error, "QMP_REFUSED")) throw error;
      throw GodwitError.of(refusedAs, { host, reason: error.message }, { cause: error });
    });
    await process.migration.secureDestination({
      credentialsFolder: migrationCredentialsFolder(config),
      sourceName: from,
    });
    return { address, port: await process.migration.listen(address) };
  }

  #follow(process: QemuProcess): void {
    this.#listeners.push(
      process.onEvent((event) => {
        if (event.name === "RESUME") this.#resumedAtMs = event.timestampUs / 1000;
        if (event.name !== "MIGRATION") return;
        const status = String(event.data.status);
        const before = this.#copyStatus;
        this.#copyStatus = status;
        if (status === "completed") {
          this.give({ type: "loaded", memoryComplete: true });
          this.give({ type: "memoryComplete" });
        }
        if (status === "postcopy-active") {
          if (before === "active") void this.#awaitHalf();
          else this.give({ type: "streamResumed" });
        }
        // A listener takes one connection only.
        if (status === "postcopy-recover") this.#rest = null;
        if (status === "postcopy-paused") {
          this.#rest = null;
          this.give({ type: "streamBroken" });
        }
        if (status === "failed")
          this.give({ type: "loadFailed", reason: "QEMU could not load the VM's state" });
      }),
    );
    void process.ended.then(({ reason }) => {
      this.give({ type: "qemuGone", reason });
    });
  }

  /**
   * Post-copy is told of when it begins to arrive; only when QEMU no longer counts as incoming has it loaded what the
   * guest needs to run.
   */
  async #awaitHalf(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    while (this.state.phase === "receiving") {
      const status = await process.status().catch(() => null);
      if (status !== null && status.status !== "inmigrate") {
        this.give({ type: "loaded", memoryComplete: false });
        return;
      }
      await sleep(halfEveryMs);
    }
  }

  /** The source asks again when this does not come to its end. */
  #recoverStream(): void {
    const process = this.#process;
    const address = this.#dependencies.config.migration?.address;
    if (process === null || address === undefined || this.#recovering) return;
    this.#recovering = true;
    this.try(
      async () => {
        try {
          if (!this.#copyStatus.startsWith("postcopy-") && this.state.phase === "receiving")
            return { type: "loadFailed", reason: "the stream broke before the guest could run here" };
          // A refusal means that it is broken already, and that a late answer had told otherwise.
          const isTold = this.#copyStatus === "postcopy-active" && (await breaksNow(process));
          for (let waitedMs = 0; isTold && this.#copyStatus === "postcopy-active"; waitedMs += halfEveryMs) {
            if (waitedMs > breakLimitMs) return null;
            await sleep(halfEveryMs);
          }
          this.#rest ??= { address, port: await process.migration.listenForRest(address) };
          return { type: "recovering", ...this.#rest };
        } finally {
          this.#recovering = false;
        }
      },
      (problem) => {
        this.log.warn({ problem }, "QEMU does not listen anew yet");
        return null;
      },
    );
  }

  #resume(): void {
    const process = this.#process;
    if (process === null) return;
    const contAtMs = performance.now();
    this.try(
      async () => {
        const refusal = await resumeForSure(process);
        if (refusal !== null) return { type: "resumeFailed", reason: refusal };
        const commitToResumeMs = this.#commitAtMs === null ? 0 : performance.now() - this.#commitAtMs;
        this.#dependencies.processes.mark(process.vmId, "running");
        return { type: "resumed", commitToResumeMs, start: this.#startTimes(contAtMs) };
      },
      () => null, // QEMU is gone, which is told by itself
    );
  }

  /** This host's part of the pause. */
  #startTimes(contAtMs: number): StartTimes | null {
    if (this.#commitAtMs === null) return null;
    const resumeMs = this.#resumedAtMs === null ? null : this.#resumedAtMs - this.#clock.at(contAtMs);
    return {
      contMs: contAtMs - this.#commitAtMs,
      resumeMs: resumeMs === null ? null : Math.max(0, resumeMs),
    };
  }

  #announce(): void {
    const process = this.#process;
    if (process === null) return;
    correctGuestClock(process, this.log);
    this.try(
      async () => {
        await process.migration.announce();
        const resumedAtMs = this.#resumedAtMs;
        if (resumedAtMs === null) return null;
        const announceMs = Math.max(0, this.#clock.at(performance.now()) - resumedAtMs);
        return { type: "announced", announceMs };
      },
      () => null,
    );
  }

  /** An event that was missed over a new QMP session is made up for. */
  #lookAgain(): void {
    const process = this.#process;
    if (process === null || this.#looking) return;
    this.#looking = true;
    this.try(
      async () => {
        try {
          const { status } = await process.migration.query();
          this.#copyStatus = status;
          if (status === "completed") return { type: "memoryComplete" };
          return status === "postcopy-paused" && !this.state.streamBroken ? { type: "streamBroken" } : null;
        } finally {
          this.#looking = false;
        }
      },
      () => null, // it waits for memory
    );
  }

  #exclusiveLease(): void {
    if (this.state.phase === "postcopyReceiving") this.#lookAgain();
    const { leases, config } = this.#dependencies;
    this.try(
      async () => {
        const answer = await askLease(leases, config.name, this.order.vm, "exclusive");
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
        await removeVm(this.#dependencies, this.log, this.order.vm, this.#process, as);
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
        await this.#dependencies.leases.releaseForSure(this.order.vm);
        return { type: "released" };
      },
      () => null,
    );
  }

  async #finish(outcome: DestinationOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.clearTimers();
    this.#clock[Symbol.dispose]();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    if (outcome.kind === "runs") await this.#process?.migration.forgetCredentials().catch(() => undefined);
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind }, "move ended");
    this.#end.resolve(undefined);
    await this.journal.close().catch(() => undefined);
  }
}

/** Whether QEMU breaks its stream now, of which an event tells. */
async function breaksNow({ migration }: QemuProcess): Promise<boolean> {
  try {
    await migration.breakStream();
    return true;
  } catch (error) {
    if (GodwitError.is(error, "QMP_REFUSED")) return false;
    throw error;
  }
}
