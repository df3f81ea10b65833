/**
 * The host's wall clock to a fraction of a millisecond, which QEMU stamps its events with, for moments of this
 * process's own clock. JavaScript's wall clock has whole milliseconds: the largest difference that was seen lately
 * between the two clocks is the nearest to the truth, and follows a clock that is slewed.
 */
const lookEveryMs = 50;
/** Differences that are remembered: some seconds. */
const kept = 100;

export class WallClock implements Disposable {
  readonly #timer: NodeJS.Timeout;
  readonly #differences: number[] = [];

  constructor() {
    this.#look();
    this.#timer = setInterval(() => {
      this.#look();
    }, lookEveryMs);
  }

  /** A moment of `performance.now()`, in ms since 1970. */
  at(monotonicMs: number): number {
    this.#look();
    return monotonicMs + Math.max(...this.#differences);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const difference = Date.now() - performance.now();
    // A clock that was set: what was learned before is of no use.
    const last = this.#differences.at(-1);
    if (last !== undefined && Math.abs(difference - last) > 2 * lookEveryMs) this.#differences.length = 0;
    this.#differences.push(difference);
    if (this.#differences.length > kept) this.#differences.shift();
  }
}
