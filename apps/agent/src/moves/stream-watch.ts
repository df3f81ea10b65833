/**
 * Whether the network is what holds a migration stream up. It is asked for only while much less gets through than did
 * before: a QEMU that waits for a processor, at either end, looks like a slow link, but for the link, which is idle then.
 */
import type { CopySample } from "@godwit/migration";

/** Below this share of the best rate it is asked for. */
const suspectShare = 0.5;
/** Over less time than this the share says little; what is older than `staleMs` says nothing any more. */
const leastMs = 100;
const staleMs = 1000;

type Answer = Pick<CopySample, "linkBusyShare">;

export class StreamWatch {
  readonly #networkBusyMs: () => Promise<number | null>;
  #bestBytesPerSecond = 0;
  #last: { atMs: number; busyMs: number } | null = null;
  #share: { atMs: number; share: number } | null = null;
  #cannotTell = false;

  constructor(networkBusyMs: () => Promise<number | null>) {
    this.#networkBusyMs = networkBusyMs;
  }

  async look(atMs: number, bytesPerSecond: number): Promise<void> {
    this.#bestBytesPerSecond = Math.max(this.#bestBytesPerSecond, bytesPerSecond);
    if (this.#cannotTell || bytesPerSecond >= this.#bestBytesPerSecond * suspectShare) return;
    const busyMs = await this.#networkBusyMs().catch(() => null);
    if (busyMs === null) {
      this.#cannotTell = true;
      return;
    }
    const last = this.#last;
    const elapsedMs = last === null ? 0 : atMs - last.atMs;
    if (last !== null && elapsedMs < leastMs) return;
    this.#last = { atMs, busyMs };
    if (last === null || elapsedMs > staleMs) return;
    this.#share = { atMs, share: Math.min(1, Math.max(0, (busyMs - last.busyMs) / elapsedMs)) };
  }

  /** What is known at a moment. */
  at(atMs: number): Answer {
    if (this.#cannotTell) return {};
    const isStale = this.#share === null || atMs - this.#share.atMs > staleMs;
    return { linkBusyShare: isStale ? null : (this.#share?.share ?? null) };
  }
}
