/** How much counters have grown within a while; one that went back was reset. */
export class Growth {
  readonly #windowMs: number;
  readonly #readings = new Map<string, { atMs: number; value: number }[]>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** @returns by how much it has grown within the window, as far as that was looked at */
  by(counter: string, value: number, atMs: number): number {
    const since = atMs - this.#windowMs;
    const before = this.#readings.get(counter) ?? [];
    const last = before.at(-1);
    const own = last !== undefined && value < last.value ? [] : before;
    // The newest that is older than the window is where it begins.
    const start = own.findLastIndex((reading) => reading.atMs <= since);
    const kept = [...own.slice(Math.max(0, start)), { atMs, value }];
    this.#readings.set(counter, kept);
    return value - (kept[0]?.value ?? value);
  }
}
