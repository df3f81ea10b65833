/** The destination's half of one move: does what the reducer decides. */
import { GodwitError, type MovePhase, type MoveOrder, type MoveRecord, type Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
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
import { qemuOverheadBytes } from "@godwit/requirements";
import type { WebSocket } from "ws";
import { migrationCredentialsFolder } from "../config.ts";
import { memoryLoad } from "../host/memory.ts";
import { setTimeout as sleep } from "node:timers/promises";
import type { Journal } from "./journal.ts";
import type { MoveParts } from "./parts.ts";
import { correctGuestClock } from "../vms/guest-clock.ts";
import { AcceptedPeer } from "./peer-link.ts";
import { resumeForSure } from "./resume.ts";
import { Shell, type Step } from "./shell.ts";

/** Phases in which there is nothing left to wait for when this host's lease of the VM was taken away. */
const leavesNothing: readonly DestinationState["phase"][] = [
  "receiving",
  "loaded",
  "starting",
  "pulling",
  "running",
  "died",
];
const halfEveryMs = 2;
const breakLimitMs = 3000;

export class DestinationMove extends Shell<
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
  readonly #parts: MoveParts;
  readonly #claim: Disposable;
  readonly #peer = new AcceptedPeer();
  readonly #listeners: Disposable[] = [];
  readonly #end = Promise.withResolvers<undefined>();
  readonly #beganAt = new Date().toISOString();
  #process: QemuProcess | null;
  #preparing: Promise<unknown> = Promise.resolve();
  #commitAtMs: number | null = null;
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
    parts: MoveParts,
  ) {
    const { order } = state;
    super(
      state,
      journal,
      parts.log.child({ move: order.id, vm: order.vm.name, role: "destination" }),
      parts.pauses,
    );
    this.order = order;
    this.ended = this.#end.promise;
    this.closed = this.ended;
    this.#parts = parts;
    this.#claim = claim;
    this.#process = process;
    this.#record = newRecord(order, this.#beganAt);
    if (process !== null) this.#follow(process);
  }

  static begin(
    order: MoveOrder,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    parts: MoveParts,
  ): DestinationMove {
    const step = startDestination(order);
    const move = new DestinationMove(step.state, null, claim, journal, parts);
    move.enter(step);
    return move;
  }

  /** Goes on where an earlier agent was stopped. */
  static async restore(
    entries: readonly DestinationEntry[],
    process: QemuProcess | null,
    claim: Disposable,
    journal: Journal<DestinationEntry>,
    parts: MoveParts,
  ): Promise<DestinationMove> {
    const status = process === null ? null : await process.status();
    const migration = process === null ? null : await process.migration.query();
    const isPostcopy = migration?.status.startsWith("postcopy-") === true;
    const step = restoreDestination(entries, {
      qemuAlive: process !== null,
      guestRuns: status?.running === true,
      loaded: migration?.status === "completed" || (isPostcopy && status?.status !== "inmigrate"),
      whole: migration?.status === "completed",
      streamBroken: isPostcopy && migration.status !== "postcopy-active",
      failed: migration?.status === "failed",
      listening: null,
    });
    const move = new DestinationMove(step.state, process, claim, journal, parts);
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
  attach(socket: WebSocket): void {
    this.#peer.attach(socket, () => {
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
    const phase = phaseOf(state);
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
        if (this.#process !== null) correctGuestClock(this.#process, this.log);
        this.try(
          async () => {
            await this.#process?.migration.announce();
            return null;
          },
          () => null,
        );
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
    const { config, environment, hypervisor, leases, processes } = this.#parts;
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
    const postcopy = this.order.strategy === "postcopy";
    await process.migration
      .configureDestination({
        credentialsFolder: migrationCredentialsFolder(config),
        sourceName: from,
        postcopy,
      })
      .catch((error: unknown) => {
        if (!postcopy || !GodwitError.is(error, "QMP_REFUSED")) throw error;
        throw GodwitError.of("POSTCOPY_UNAVAILABLE", { host, reason: error.message }, { cause: error });
      });
    return { address, port: await process.migration.listen(address) };
  }

  #follow(process: QemuProcess): void {
    this.#listeners.push(
      process.onEvent((event) => {
        if (event.name !== "MIGRATION") return;
        const status = String(event.data.status);
        const before = this.#copyStatus;
        this.#copyStatus = status;
        if (status === "completed") {
          this.give({ type: "loaded", whole: true });
          this.give({ type: "whole" });
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
        this.give({ type: "loaded", whole: false });
        return;
      }
      await sleep(halfEveryMs);
    }
  }

  /** The source asks again when this does not come to its end. */
  #recoverStream(): void {
    const process = this.#process;
    const address = this.#parts.config.migration?.address;
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
    const { processes } = this.#parts;
    this.try(
      async () => {
        const refusal = await resumeForSure(process);
        if (refusal !== null) return { type: "resumeFailed", reason: refusal };
        const commitToResumeMs = this.#commitAtMs === null ? 0 : performance.now() - this.#commitAtMs;
        processes.mark(process.vmId, "running");
        return { type: "resumed", commitToResumeMs };
      },
      () => null, // QEMU is gone, which is told by itself
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
          if (status === "completed") return { type: "whole" };
          return status === "postcopy-paused" && !this.state.streamBroken ? { type: "streamBroken" } : null;
        } finally {
          this.#looking = false;
        }
      },
      () => null, // it waits for memory
    );
  }

  #exclusiveLease(): void {
    if (this.state.phase === "pulling") this.#lookAgain();
    const { leases } = this.#parts;
    const { vm, from } = this.order;
    this.try(
      async () => {
        const answer = await leases.convert(vm, "EX");
        if (answer.kind === "granted") return { type: "leaseExclusive" };
        const { phase } = this.state;
        const hasNone = answer.error.code === "LEASE_NOT_HELD";
        if (hasNone && leavesNothing.includes(phase)) {
          // There is nothing left to wait for; a copy without a commit gives up.
          this.log.error("this host's lease of the VM was taken away");
          return { type: "leaseExclusive" };
        }
        const lease = await leases.show(vm).catch(() => null);
        const source = lease?.holders.find((holder) => holder.host === from);
        return { type: "leaseRefused", held: answer.held, sourceFresh: source?.fresh === true };
      },
      () => ({ type: "leaseRefused", held: false, sourceFresh: false }),
    );
  }

  #remove(): void {
    const { processes, environment } = this.#parts;
    const died = this.state.phase === "died";
    this.try(
      async () => {
        await this.#preparing;
        const process = this.#process;
        if (process !== null) {
          processes.remove(process.vmId, died ? "lost" : "moved");
          await process.end();
        }
        await environment.deleteTaps(this.order.vm);
        return { type: "removed" };
      },
      (problem) => {
        this.log.error({ problem }, "the VM's taps could not be removed");
        return { type: "removed" };
      },
    );
  }

  #releaseLease(): void {
    this.try(
      async () => {
        await this.#parts.leases.releaseForSure(this.order.vm);
        return { type: "released" };
      },
      () => null,
    );
  }

  async #finish(outcome: DestinationOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.clearTimers();
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

/** The destination's phase in the words of the record; the source's record is the full one. */
function phaseOf({ phase, outcome }: DestinationState): MovePhase {
  switch (phase) {
    case "preparing":
      return "preparing";
    case "receiving":
    case "loaded":
      return "copying";
    case "starting":
    case "pulling":
      return "committed";
    case "running":
      return "succeeded";
    case "died":
    case "givingBack":
    case "givingUp":
      return "failing";
    case "ended":
      return outcome?.kind === "runs" ? "succeeded" : "failed";
  }
}
