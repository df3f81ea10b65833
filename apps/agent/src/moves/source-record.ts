/**
 * A move's record as its source keeps it and tells it to the server: changes of phase at once, progress now and then,
 * and nothing while the guest stands still, when the hosts have better things to do.
 */
import type { MoveCpu, MoveDecision, MoveOrder, MoveRecord } from "@godwit/contract";
import {
  newRecord,
  noMoments,
  pauseOf,
  recordDecision,
  recordDisks,
  recordSample,
  recordState,
  standstillMs,
  unseenOf,
  type CopySample,
  type PauseMoments,
  type SourceState,
  type ToSource,
} from "@godwit/migration";
import type { EventLog } from "../event-log.ts";
import { WallClock } from "./wall-clock.ts";

const tellEveryMs = 200;
/** How far a copy is that takes long: each time costs the server a change of its database, and the hosts some of what the copy needs. */
const longCopyEveryMs = 1000;
const longCopyMs = 3000;
const afterSwitchMs = 60;

export class SourceRecord {
  readonly #events: EventLog;
  readonly #clock = new WallClock();
  #record: MoveRecord;
  #moments: PauseMoments = noMoments;
  #toldAtMs = 0;
  #telling: NodeJS.Timeout | undefined;
  /** When it will be told; without a timer it says nothing. */
  #tellsAtMs = 0;
  #phaseSinceMs = performance.now();
  /** Something was decided since it was told last. */
  #hasNews = false;

  constructor(order: MoveOrder, events: EventLog) {
    this.#record = newRecord(order, now());
    this.#events = events;
  }

  get current(): MoveRecord {
    return this.#record;
  }

  sample(state: SourceState, sample: CopySample): void {
    this.#record = recordSample(this.#record, state.copy, sample);
  }

  decision(decision: MoveDecision): void {
    this.#record = recordDecision(this.#record, decision, now());
    this.#hasNews = true;
  }

  /** How far the copy of the disks is. */
  disks(progress: Parameters<typeof recordDisks>[1]): void {
    this.#record = recordDisks(this.#record, progress);
    if (this.#record.phase === "copying") this.#tellWithin(tellEveryMs);
  }

  /** What QEMU counts of the copy. */
  figures(figures: Partial<MoveRecord>): void {
    this.#record = { ...this.#record, ...figures };
  }

  /** A moment of the pause, which may be tried more than once. @param atMs of the wall clock; null: it is now */
  moment(name: keyof PauseMoments, atMs: number | null = null): void {
    // The first commit counts, and the first answer to it.
    const isLast = name === "committedAtMs" || name === "answeredAtMs";
    if (isLast && this.#moments[name] !== null) return;
    this.#moments = { ...this.#moments, [name]: atMs ?? this.#clock.at(performance.now()) };
  }

  /** The guest is to be stopped. QEMU may have stopped it by itself a moment ago: what was seen of that counts. */
  switchBegins(): void {
    if (this.#moments.stoppedAtMs === null) this.moment("decidedAtMs");
  }

  /** The guest runs on here: what was seen of a switch that was backed out does not count for the next. */
  guestRunsOn(): void {
    this.#moments = noMoments;
  }

  /** The destination's word that the guest runs there. */
  guestRuns({ commitToResumeMs, start }: Extract<ToSource, { type: "running" | "postcopyReceiving" }>): void {
    if (this.#record.pause !== null || this.#moments.committedAtMs === null) return;
    this.moment("answeredAtMs");
    const pause = pauseOf(this.#moments, start ?? null, commitToResumeMs);
    const measured = { stopToContMs: standstillMs(pause), stopToContUnknown: unseenOf(pause) };
    this.#record = { ...this.#record, pause, ...measured };
  }

  announced({ announceMs, cpu }: Extract<ToSource, { type: "announced" }>): void {
    const { pause } = this.#record;
    if (pause !== null) this.#record = { ...this.#record, pause: { ...pause, announceMs } };
    if (cpu !== undefined) this.cpu({ destination: cpu });
  }

  /** Of each host the last figure counts. */
  cpu(cpu: MoveCpu): void {
    this.#record = { ...this.#record, cpu: { ...this.#record.cpu, ...cpu } };
  }

  /** The move has come to `state`. */
  changed(state: SourceState): void {
    const { phase } = this.#record;
    this.#record = recordState(this.#record, state, now());
    const { pause, pauseReason } = this.#record;
    if (this.#record.phase === "succeeded" && pause === null && pauseReason === null)
      this.#record = { ...this.#record, stopToContUnknown: unseenOf(null) };
    if (state.phase === "ended") return; // told once the record is complete
    if (phase !== this.#record.phase) this.#phaseSinceMs = performance.now();
    const dueMs = this.#toldAtMs + this.#everyMs() - performance.now();
    const isSwitching = ["pausing", "endingDisks", "switching", "committed"].includes(state.phase);
    if (isSwitching) this.#tellIn(afterSwitchMs);
    else if (phase !== this.#record.phase || dueMs <= 0) this.tell();
    else this.#tellWithin(dueMs);
  }

  tell(): void {
    clearTimeout(this.#telling);
    this.#telling = undefined;
    this.#hasNews = false;
    this.#toldAtMs = performance.now();
    this.#events.append("move.changed", { kind: "move", id: this.#record.id }, { move: this.#record });
  }

  /** The move is over. */
  [Symbol.dispose](): void {
    clearTimeout(this.#telling);
    this.#clock[Symbol.dispose]();
  }

  #everyMs(): number {
    const isLong = performance.now() - this.#phaseSinceMs > longCopyMs;
    return isLong && !this.#hasNews ? longCopyEveryMs : tellEveryMs;
  }

  /** Unless it will be told before. */
  #tellWithin(ms: number): void {
    if (this.#telling === undefined || this.#tellsAtMs > performance.now() + ms) this.#tellIn(ms);
  }

  #tellIn(ms: number): void {
    clearTimeout(this.#telling);
    this.#tellsAtMs = performance.now() + ms;
    this.#telling = setTimeout(() => {
      this.tell();
    }, ms);
  }
}

const now = (): string => new Date().toISOString();
