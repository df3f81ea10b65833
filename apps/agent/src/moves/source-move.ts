/** The source's half of one move: does what the reducer decides, and keeps the record that users see. */
import { join } from "node:path";
import { GodwitError, type MoveOrder, type MoveRecord, type Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  initialSource,
  isCancellable,
  newRecord,
  ownLimitMs,
  recordDecision,
  recordSample,
  recordState,
  restoreSource,
  stepSource,
  vitalSourceEntries,
  type CopySample,
  type SourceEffect,
  type SourceEntry,
  type SourceInput,
  type SourceOutcome,
  type SourceState,
  type SourceTimer,
} from "@godwit/migration";
import { migrationCredentialsFolder } from "../config.ts";
import { correctGuestClock } from "../vms/guest-clock.ts";
import { CopyWatch } from "./copy-watch.ts";
import type { Journal } from "./journal.ts";
import type { MoveParts } from "./parts.ts";
import { PeerLink } from "./peer-link.ts";
import { resumeForSure } from "./resume.ts";
import { Shell, type Step } from "./shell.ts";
import { relayStream, type StreamRelay } from "./stream-relay.ts";

const tellEveryMs = 200;
const afterSwitchMs = 60;
const agreeMs = 10_000;
const stuckAfter = 3;

export class SourceMove extends Shell<SourceState, SourceInput, SourceEntry, SourceTimer, SourceEffect> {
  override readonly role = "source";
  readonly order: MoveOrder;
  /** Resolves when the move is over and its record is complete. */
  readonly ended: Promise<void>;
  /** Resolves when the destination needs nothing more of it either. */
  readonly closed: Promise<void>;
  readonly #parts: MoveParts;
  readonly #process: QemuProcess | null;
  readonly #claim: Disposable;
  readonly #listeners: Disposable[] = [];
  readonly #end = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<undefined>();
  #peer: PeerLink | null = null;
  #watch: CopyWatch | null = null;
  #record: MoveRecord;
  #pass = 0;
  /** QEMU's word for the copy, as last heard. */
  #copyStatus = "none";
  #resuming = false;
  /** A stream that was made anew. */
  #stream: StreamRelay | null = null;
  #cancelsSeen = 0;
  #isFinishing = false;
  #stoppedAtMs: number | null = null;
  #stopToCommitMs: number | null = null;
  #toldAtMs = 0;
  #telling: NodeJS.Timeout | undefined;

  private constructor(
    order: MoveOrder,
    state: SourceState,
    process: QemuProcess | null,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    parts: MoveParts,
  ) {
    super(
      state,
      journal,
      parts.log.child({ move: order.id, vm: order.vm.name, role: "source" }),
      parts.pauses,
    );
    this.order = order;
    this.ended = this.#end.promise;
    this.closed = this.#closed.promise;
    this.#parts = parts;
    this.#process = process;
    this.#claim = claim;
    this.#record = newRecord(order, new Date().toISOString());
    this.#follow();
  }

  static async begin(
    order: MoveOrder,
    process: QemuProcess,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    parts: MoveParts,
  ): Promise<SourceMove> {
    const state = initialSource(order, await process.version());
    const move = new SourceMove(order, state, process, claim, journal, parts);
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
    parts: MoveParts,
  ): Promise<SourceMove> {
    const qemuVersion = (await process?.version()) ?? "unknown";
    const status = process === null ? null : await process.status();
    // Last: from here on its events tell.
    const migration = process === null ? null : await process.migration.query();
    const step = restoreSource(entries, {
      qemuVersion,
      qemuAlive: process !== null,
      guestRuns: status?.running === true,
      copyCompleted: migration?.status === "completed",
      copyFailed: migration?.status === "failed",
      postcopy: migration === null ? null : postcopyOf(migration.status),
    });
    const move = new SourceMove(step.state.order, step.state, process, claim, journal, parts);
    move.#copyStatus = migration?.status ?? "none";
    move.#record = recordDecision(move.#record, "the source agent was restarted", new Date().toISOString());
    move.#connect();
    if (step.state.partial) move.#startWatch();
    if (step.state.phase === "ended") await move.#endedBefore();
    move.enter(step);
    return move;
  }

  get record(): MoveRecord {
    return this.#record;
  }

  get cancellable(): boolean {
    return isCancellable(this.state);
  }

  cancel(): void {
    this.give({ type: "cancel" });
  }

  protected override step(state: SourceState, input: SourceInput): Step<SourceState, SourceEffect> {
    if (input.type === "sample") this.#record = recordSample(this.#record, state.copy, input.sample);
    return stepSource(state, input);
  }

  protected override timerInput(timer: SourceTimer): SourceInput {
    return { type: "timer", timer, atMs: performance.now() };
  }
  protected override journalFailed(problem: Problem): SourceInput {
    return { type: "journalFailed", problem };
  }
  protected override isVital(entry: SourceEntry): boolean {
    return vitalSourceEntries.includes(entry.at);
  }

  protected override changed(state: SourceState): void {
    const { phase } = this.#record;
    this.#record = recordState(this.#record, state, new Date().toISOString());
    if (state.phase === "ended") return; // told once the record is complete
    const dueMs = this.#toldAtMs + tellEveryMs - performance.now();
    // While the guest stands still, and just after, the hosts have better things to do.
    const inSwitch = state.phase === "pausing" || state.phase === "switching" || state.phase === "committed";
    if (inSwitch) {
      clearTimeout(this.#telling);
      this.#telling = setTimeout(() => {
        this.#tell();
      }, afterSwitchMs);
    } else if (phase !== this.#record.phase || dueMs <= 0) this.#tell();
    else
      this.#telling ??= setTimeout(() => {
        this.#tell();
      }, dueMs);
  }

  protected override perform(effect: SourceEffect): void {
    const { leases } = this.#parts;
    const { vm } = this.order;
    const asked = (mode: "EX" | "SH") => {
      this.try(
        async () => {
          const isOver = mode === "EX" && !this.state.qemuAlive;
          const answer = await (isOver ? leases.exclusiveAnyway(vm) : leases.convert(vm, mode));
          if (answer.kind === "granted" && mode === "SH") return { type: "leaseShared" };
          if (answer.kind === "granted") {
            return { type: "leaseExclusive", fenced: answer.lease.fenced.includes(this.order.to.host) };
          }
          const { phase, peerUp } = this.state;
          const isAlone = phase === "undoing" || !peerUp;
          if (isOver && isAlone && isHeldByThird(answer.error, this.order.to.host)) {
            // As good as having it: the destination has no share any more, and says so if it can be heard.
            return { type: "leaseExclusive", fenced: false };
          }
          return { type: "leaseRefused", held: answer.held, problem: answer.error.problem };
        },
        (problem) => ({ type: "leaseRefused", held: false, problem }),
      );
    };
    switch (effect.do) {
      case "shareLease":
        asked("SH");
        return;
      case "exclusiveLease":
        asked("EX");
        return;
      case "send":
        this.#peer?.send(effect.message);
        if (effect.message.type === "commit") this.#committed();
        return;
      case "startCopy":
        this.#startCopy(effect.address, effect.port);
        return;
      case "pauseVcpus":
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
        this.#ask((process) => process.migration.startPostcopy());
        return;
      case "breakStream":
        this.#breakStream();
        return;
      case "resumeStream":
        this.#resumeStream(effect);
        return;
      case "continueSwitchover":
        this.#isFinishing = true;
        this.try(
          async () => {
            await this.#process?.migration.continueSwitchover();
            return null;
          },
          (problem) => ({ type: "copyEnded", reason: problem.detail }),
        );
        return;
      case "cancelCopy":
        this.#cancelCopy();
        return;
      case "resumeVcpus":
        this.#resume();
        return;
      case "remove":
        this.#remove();
        return;
      case "releaseLease":
        this.#releaseLease();
        return;
      case "note":
        this.log.info(effect.text);
        this.#record = recordDecision(this.#record, effect.text, new Date().toISOString());
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
      this.#parts.identity,
      {
        onMessage: (message) => {
          if (message.type === "running" || message.type === "pulling")
            this.#measureResume(message.commitToResumeMs);
          this.give({ type: "message", message, atMs: performance.now() });
        },
        onUp: () => {
          this.give({ type: "peerUp" });
        },
        onDown: () => {
          this.give({ type: "peerDown" });
        },
      },
      this.log,
    );
  }

  #follow(): void {
    const process = this.#process;
    if (process === null) return;
    this.#listeners.push(
      process.onEvent((event) => {
        const atMs = performance.now();
        if (event.name === "STOP") {
          this.#stoppedAtMs = event.timestampUs / 1000;
          this.give({ type: "paused", atMs, pass: this.#pass });
        } else if (event.name === "MIGRATION_PASS") {
          this.#pass = Number(event.data.pass);
        } else if (event.name === "MIGRATION") {
          const status = String(event.data.status);
          this.#copyStatus = status;
          if (status === "pre-switchover") this.give({ type: "preSwitchover", atMs });
          if (status === "completed") this.give({ type: "completed" });
          if (status === "postcopy-active") this.give({ type: "postcopyActive" });
          if (status === "postcopy-paused") this.give({ type: "streamBroken" });
          if (status === "failed" || status === "cancelled") void this.#copyEnded(status);
        }
      }),
    );
    void process.ended.then(({ reason }) => {
      this.give({ type: "qemuGone", reason });
    });
  }

  #startCopy(address: string, port: number): void {
    const process = this.#process;
    if (process === null) return;
    this.try(
      async () => {
        await process.migration.configureSource({
          credentialsFolder: migrationCredentialsFolder(this.#parts.config),
          destinationName: this.order.to.host,
          bandwidthBytesPerSecond: this.order.bandwidthBytesPerSecond,
          downtimeLimitMs: ownLimitMs(this.state.copy?.singlePass === true),
          postcopy: this.order.strategy === "postcopy",
        });
        this.#startWatch();
        await process.migration.start(address, port);
        return null;
      },
      (problem) => ({ type: "copyEnded", reason: problem.detail }),
    );
  }

  #startWatch(): void {
    if (this.#process === null) return;
    this.#watch = new CopyWatch(this.#process, (sample) => {
      this.#sampled(sample);
    });
  }

  /** A destination that is not heard of, or a host whose own lease is not renewed, could not run the VM. */
  #sampled(sample: CopySample): void {
    const { order } = this;
    const isUp = this.#peer?.isFresh === true;
    const peerFresh =
      isUp && this.#parts.lockspaces.areFresh(order.vm.datastore, [order.from, order.to.host]);
    this.give({ type: "sample", sample, peerFresh });
  }

  async #copyEnded(status: string): Promise<void> {
    const found = await this.#process?.migration.query().catch(() => null);
    this.give({ type: "copyEnded", reason: found?.error ?? `the copy was ${status}` });
  }

  /** Something is asked of QEMU whose outcome its events tell. */
  #ask(deed: (process: QemuProcess) => Promise<void>): void {
    this.try(
      async () => {
        if (this.#process !== null) await deed(this.#process);
        return null;
      },
      (problem) => {
        this.log.warn({ problem }, "a step of post-copy was refused");
        return null;
      },
    );
  }

  /** The destination, asked again each second, answers again: only one attempt is made at a time. */
  #resumeStream(to: { address: string; port: number }): void {
    if (this.#resuming || this.#stream !== null || this.#copyStatus !== "postcopy-paused") return;
    this.#resuming = true;
    this.#ask(async (process) => {
      try {
        const path = join(process.paths.folder, "rest.sock");
        this.#keep(
          await relayStream(this.order.to.host, to, path, (offered) =>
            process.migration.resumeStream(offered),
          ),
        );
      } finally {
        this.#resuming = false;
      }
    });
  }

  /** Until it has ended no other is made; the two QEMUs agree soon on what is missing, or it is ended. */
  #keep(stream: StreamRelay): void {
    this.#stream = stream;
    const agree = setTimeout(() => {
      if (this.#copyStatus !== "postcopy-active") stream[Symbol.dispose]();
    }, agreeMs);
    void stream.closed.then(() => {
      clearTimeout(agree);
      this.#stream = null;
    });
  }

  /** A refusal means that QEMU is further than its events have told. */
  #breakStream(): void {
    const process = this.#process;
    if (process === null) return;
    this.try(
      async () => {
        await process.migration.breakStream();
        return null;
      },
      () => null,
    );
    this.try(
      async () => {
        const { status, error } = await process.migration.query();
        this.#copyStatus = status;
        if (status === "completed") return { type: "completed" };
        if (status === "postcopy-paused") return { type: "streamBroken" };
        if (status === "failed") return { type: "copyEnded", reason: error ?? "the copy failed" };
        return null;
      },
      () => null,
    );
  }

  #cancelCopy(): void {
    const process = this.#process;
    this.try(
      async () => {
        if (process === null) return null;
        const before = await process.migration.query();
        // One that was frozen for long needs a moment to end it; one that is stuck never does.
        if (before.status === "cancelling") this.#cancelsSeen += 1;
        const isStuck = this.#cancelsSeen >= stuckAfter && this.state.partial;
        if (postcopyOf(before.status) === "broken" || isStuck) {
          const reason = "the stream of its memory broke when the VM had just been handed over";
          return { type: "copyStuck", reason };
        }
        if (this.#isFinishing && !this.state.partial) {
          this.#isFinishing = false; // should that not end it, the next attempt is an ordinary one
          await process.migration.yank().catch((error: unknown) => {
            if (!GodwitError.is(error, "QMP_REFUSED")) throw error; // it has ended meanwhile
          });
        } else await process.migration.cancel();
        const { status, error } = await process.migration.query();
        if (status === "completed") return { type: "completed" };
        if (status === "none" || status === "cancelled" || status === "failed") {
          return { type: "copyEnded", reason: error ?? `the copy is ${status}` };
        }
        return null; // an event tells its end
      },
      () => null,
    );
  }

  #resume(): void {
    const process = this.#process;
    if (process === null) return;
    this.try(
      async () => {
        const refusal = await resumeForSure(process);
        if (refusal === null) correctGuestClock(process, this.log);
        return refusal === null ? { type: "resumed" } : { type: "resumeFailed", reason: refusal };
      },
      () => null, // QEMU is gone, which is told by itself
    );
  }

  #remove(): void {
    const { processes, environment } = this.#parts;
    const process = this.#process;
    this.#watch?.end();
    this.try(
      async () => {
        if (process !== null) {
          await this.#lastFigures(process);
          processes.remove(process.vmId, this.state.phase === "leaving" ? "moved" : "lost");
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

  async #lastFigures(process: QemuProcess): Promise<void> {
    const status = await process.migration.query().catch(() => null);
    if (status === null) return;
    this.#record = {
      ...this.#record,
      qemuDowntimeMs: status.qemuDowntimeMs,
      bytes: status.transferredBytes,
      rounds: status.rounds,
    };
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

  /** The source's share of the outage ends here, on the wall clock that QEMU stamps its events with. */
  #committed(): void {
    if (this.#stoppedAtMs === null || this.#stopToCommitMs !== null) return;
    this.#stopToCommitMs = performance.timeOrigin + performance.now() - this.#stoppedAtMs;
  }

  #measureResume(commitToResumeMs: number): void {
    if (this.#stopToCommitMs === null || this.#peer === null || this.#record.stopToContMs !== null) return;
    const stopToContMs = this.#stopToCommitMs + this.#peer.roundTripMs / 2 + commitToResumeMs;
    this.#record = { ...this.#record, stopToContMs: Math.round(stopToContMs * 100) / 100 };
  }

  async #finish(outcome: SourceOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.#watch?.end();
    this.#stream?.[Symbol.dispose]();
    this.clearTimers();
    for (const listener of this.#listeners) listener[Symbol.dispose]();
    if (outcome.kind === "stayed" && this.#process !== null) {
      await this.#lastFigures(this.#process);
      await this.#process.migration.forgetCredentials().catch(() => undefined);
    }
    if (outcome.kind === "lost") this.#parts.processes.remove(this.order.vm.id, "lost");
    clearTimeout(this.#telling);
    this.#claim[Symbol.dispose]();
    this.log.info({ outcome: outcome.kind, record: this.#record }, "move ended");
    this.#tell();
    this.#end.resolve(undefined);
  }

  /** It had ended already; only its destination may not know yet. */
  async #endedBefore(): Promise<void> {
    for (const listener of this.#listeners) listener[Symbol.dispose]();
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

  #tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#toldAtMs = performance.now();
    this.#parts.events.append("move.changed", { kind: "move", id: this.order.id }, { move: this.#record });
  }
}

/** A post-copy's stream, in QEMU's words. */
function postcopyOf(status: string): "active" | "broken" | null {
  if (status === "postcopy-active") return "active";
  return status.startsWith("postcopy-") ? "broken" : null;
}

/** Whether a lease is refused because hosts hold it that have nothing to do with the move. */
function isHeldByThird(error: GodwitError, destination: string): boolean {
  if (error.code !== "LEASE_HELD") return false;
  const holders = error.problem.details.holders as readonly { host: string }[];
  return holders.length > 0 && holders.every(({ host }) => host !== destination);
}
