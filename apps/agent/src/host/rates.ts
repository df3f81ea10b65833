/**
 * Rates from counters that only grow: bytes, processor time. A rate is the average between two readings that are far
 * enough apart to say something; who asks sooner gets the rate before. A counter that went back was begun again.
 */
interface Reading {
  value: number;
  atMs: number;
  perSecond: number | null;
}

/** A rate over less than this says little. */
const shortestMs = 1000;

export class Rates {
  readonly #readings = new Map<string, Reading>();

  /** @param atMs of a clock that is never set. @returns null until there are two readings */
  perSecond(counter: string, value: number, atMs: number): number | null {
    const last = this.#readings.get(counter);
    if (last !== undefined && value >= last.value) {
      if (atMs - last.atMs < shortestMs) return last.perSecond;
      const perSecond = ((value - last.value) * 1000) / (atMs - last.atMs);
      this.#readings.set(counter, { value, atMs, perSecond });
      return perSecond;
    }
    this.#readings.set(counter, { value, atMs, perSecond: null });
    return null;
  }

  /** Forgets all counters but these. */
  keep(counters: ReadonlySet<string>): void {
    for (const counter of this.#readings.keys()) if (!counters.has(counter)) this.#readings.delete(counter);
  }
}
