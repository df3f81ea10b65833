/** The source's half of one move: does what the reducer decides, and keeps the record that users see. */
import { GodwitError, type MoveOrder, type MoveRecord, type Problem } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import {
  initialSource,
  isCancellable,
  newRecord,
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
import type { Journal } from "./journal.ts";
import type { MoveParts } from "./parts.ts";
import { PeerLink } from "./peer-link.ts";
import { resumeForSure } from "./resume.ts";
import { Shell, type Step } from "./shell.ts";
import { SourceCopy, postcopyOf } from "./source-copy.ts";

const tellEveryMs = 200;
const afterSwitchMs = 60;

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
  /** Null where QEMU was gone when the agent came back. */
  readonly #copy: SourceCopy | null;
  readonly #end = Promise.withResolvers<undefined>();
  readonly #closed = Promise.withResolvers<undefined>();
  #peer: PeerLink | null = null;
  #record: MoveRecord;
  #stopToCommitMs: number | null = null;
  #toldAtMs = 0;
  #telling: NodeJS.Timeout | undefined;

  private constructor(
    order: MoveOrder,
    state: SourceState,
    process: QemuProcess | null,
    copyStatus: string,
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
    this.#copy = this.#follow(copyStatus);
  }

  static async begin(
    order: MoveOrder,
    process: QemuProcess,
    claim: Disposable,
    journal: Journal<SourceEntry>,
    parts: MoveParts,
  ): Promise<SourceMove> {
    const state = initialSource(order, await process.version());
    const move = new SourceMove(order, state, process, "none", claim, journal, parts);
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
      copyFailed: ["failed", "cancelled", "cancelling"].includes(migration?.status ?? ""),
      postcopy: migration === null ? null : postcopyOf(migration.status),
    });
    const move = new SourceMove(
      step.state.order,
      step.state,
      process,
      migration?.status ?? "none",
      claim,
      journal,
      parts,
    );
    move.#record = recordDecision(move.#record, "the source agent was restarted", new Date().toISOString());
    move.#connect();
    if (step.state.partial) move.#copy?.watch();
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
        this.#ask(
          (copy) =>
            copy.start(
              effect,
              migrationCredentialsFolder(this.#parts.config),
              this.state.copy?.singlePass === true,
            ),
          copyEnded,
        );
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
        this.#ask((copy) => copy.cancel(this.state.partial));
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

  #follow(copyStatus: string): SourceCopy | null {
    const process = this.#process;
    if (process === null) return null;
    void process.ended.then(({ reason }) => {
      this.give({ type: "qemuGone", reason });
    });
    return new SourceCopy(this.order, process, copyStatus, {
      onInput: (input) => {
        this.give(input);
      },
      onSample: (sample) => {
        this.#sampled(sample);
      },
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

  /** A refusal that tells nothing is made up for by QEMU's events, its end, or the next attempt. */
  #ask(
    deed: (copy: SourceCopy) => Promise<SourceInput | null>,
    refused: (problem: Problem) => SourceInput | null = () => null,
  ): void {
    const copy = this.#copy;
    if (copy === null) return;
    this.try(
      () => deed(copy),
      (problem) => {
        this.log.warn({ problem }, "a step of the copy was not done");
        return refused(problem);
      },
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
    this.#copy?.unwatch();
    this.try(
      async () => {
        if (process !== null) {
          await this.#lastFigures();
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

  async #lastFigures(): Promise<void> {
    this.#record = { ...this.#record, ...(await this.#copy?.figures()) };
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
    const stoppedAtMs = this.#copy?.stoppedAtMs ?? null;
    if (stoppedAtMs === null || this.#stopToCommitMs !== null) return;
    this.#stopToCommitMs = performance.timeOrigin + performance.now() - stoppedAtMs;
  }

  #measureResume(commitToResumeMs: number): void {
    if (this.#stopToCommitMs === null || this.#peer === null || this.#record.stopToContMs !== null) return;
    const stopToContMs = this.#stopToCommitMs + this.#peer.roundTripMs / 2 + commitToResumeMs;
    this.#record = { ...this.#record, stopToContMs: Math.round(stopToContMs * 100) / 100 };
  }

  async #finish(outcome: SourceOutcome): Promise<void> {
    this.changed(this.state); // the record ends before it is told
    this.#copy?.[Symbol.dispose]();
    this.clearTimers();
    if (outcome.kind === "stayed" && this.#process !== null) {
      await this.#lastFigures();
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
    this.#copy?.[Symbol.dispose]();
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

/** Who does not answer has not refused: the switch's own clock, and QEMU's events, tell what becomes of it. */
const refusedCopyEnded = (problem: Problem): SourceInput | null =>
  problem.code === "QMP_REFUSED" ? copyEnded(problem) : null;

const copyEnded = ({ detail }: Problem): SourceInput => ({ type: "copyEnded", reason: detail });

/** Whether a lease is refused because hosts hold it that have nothing to do with the move. */
function isHeldByThird(error: GodwitError, destination: string): boolean {
  if (error.code !== "LEASE_HELD") return false;
  const holders = error.problem.details.holders as readonly { host: string }[];
  return holders.length > 0 && holders.every(({ host }) => host !== destination);
}
