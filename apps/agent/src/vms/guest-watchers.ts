/**
 * Watches whether guests hang, of VMs that the server names: does the guest agent answer, does the guest use a disk or send a packet.
 * What is seen counts from when a guest was started, came here, was resumed or reset, or was last worked on; a gap in the
 * looks begins again, for what nobody saw is no evidence.
 */
import type { GuestSigns, VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Processes } from "../qemu/processes.ts";
import { RepeatedLook } from "../repeated-look.ts";
import type { Claims } from "./claims.ts";

const everyMs = 5000;
/** A guest is watched for so long after it was asked for. */
const watchedForMs = 60_000;
const mostGapMs = 30_000;

interface Seen {
  process: QemuProcess;
  sinceMs: number;
  lastLookMs: number;
  hasAnswered: boolean;
  /** The first look in a row that got no answer. */
  silentMs: number | null;
  /** What the guest has done so far, and when that changed last; null: it could not be read. */
  done: { count: number; changedMs: number } | null;
}

export interface GuestWatchersParts {
  processes: Pick<Processes, "of" | "stateOf">;
  claims: Pick<Claims, "isHeld">;
  /** Whether the guest agent answers within a few seconds. */
  answers: (process: QemuProcess) => Promise<boolean>;
  /** Operations on disks and packets that the guest has sent. @throws where that cannot be read */
  done: (process: QemuProcess) => Promise<number>;
  /** Of a clock that is never set. */
  nowMs?: () => number;
}

export class GuestWatchers {
  readonly #parts: GuestWatchersParts;
  readonly #now: () => number;
  readonly #until = new Map<VmId, number>();
  readonly #seen = new Map<VmId, Seen>();

  constructor(parts: GuestWatchersParts) {
    this.#parts = parts;
    this.#now = parts.nowMs ?? (() => performance.now());
  }

  repeated(failed: (error: unknown) => void): RepeatedLook {
    return new RepeatedLook(everyMs, () => this.look(), failed);
  }

  /** Watches these for a minute more, and tells what has been seen of them; of a guest that nobody has looked at yet nothing. */
  watch(ids: readonly VmId[]): GuestSigns[] {
    const untilMs = this.#now() + watchedForMs;
    for (const id of ids) this.#until.set(id, untilMs);
    return ids.flatMap((id) => this.#signsOf(id) ?? []);
  }

  /** Since when a guest that had answered has given no sign, in ms of the clock; null: it does. Undefined: it is not watched, or has not answered yet. */
  silentSinceMs(id: VmId): number | null | undefined {
    const seen = this.#seen.get(id);
    if (seen === undefined || this.#parts.processes.of(id) !== seen.process) return undefined;
    if (!seen.hasAnswered) return undefined;
    if (seen.silentMs === null || seen.done === null) return null;
    return Math.max(seen.silentMs, seen.done.changedMs);
  }

  /** It was reset: what is seen counts from now. That its agent had answered before stays known. */
  wasReset(id: VmId): void {
    const seen = this.#seen.get(id);
    if (seen === undefined) return;
    const nowMs = this.#now();
    this.#seen.set(id, { ...seen, sinceMs: nowMs, silentMs: null, done: null });
  }

  async look(): Promise<void> {
    const nowMs = this.#now();
    for (const [id, untilMs] of this.#until) if (untilMs < nowMs) this.#until.delete(id);
    for (const id of this.#seen.keys()) if (!this.#until.has(id)) this.#seen.delete(id);
    await Promise.all([...this.#until.keys()].map((id) => this.#lookAt(id)));
  }

  async #lookAt(id: VmId): Promise<void> {
    const { processes, claims, answers, done: doneBy } = this.#parts;
    const process = processes.of(id);
    const isQuiet = () => processes.stateOf(id) === "running" && !claims.isHeld(id);
    if (process?.spec.vm.guestAgent !== true || !isQuiet()) {
      this.#seen.delete(id);
      return;
    }
    const [isThere, count] = await Promise.all([answers(process), doneBy(process).catch(() => null)]);
    // It may have been stopped, or worked on, since.
    if (processes.of(id) !== process || !isQuiet()) {
      this.#seen.delete(id);
      return;
    }
    const nowMs = this.#now();
    const before = this.#seen.get(id);
    const isSame = before?.process === process && nowMs - before.lastLookMs <= mostGapMs;
    const last: Seen = isSame
      ? before
      : {
          ...{ process, sinceMs: nowMs, lastLookMs: nowMs, silentMs: null, done: null },
          hasAnswered: before?.process === process && before.hasAnswered,
        };
    this.#seen.set(id, {
      ...last,
      lastLookMs: nowMs,
      hasAnswered: last.hasAnswered || isThere,
      silentMs: isThere ? null : (last.silentMs ?? nowMs),
      done:
        count === null
          ? null
          : { count, changedMs: last.done?.count === count ? last.done.changedMs : nowMs },
    });
  }

  #signsOf(id: VmId): GuestSigns | null {
    const seen = this.#seen.get(id);
    if (seen === undefined || this.#parts.processes.of(id) !== seen.process) return null;
    const { lastLookMs, sinceMs, hasAnswered, silentMs, done } = seen;
    const seconds = (fromMs: number) => Math.max(0, lastLookMs - fromMs) / 1000;
    return {
      ...{ id, hasAnswered, watchedSeconds: seconds(sinceMs) },
      silentSeconds: silentMs === null ? null : seconds(silentMs),
      idleSeconds: done === null ? null : seconds(done.changedMs),
    };
  }
}
