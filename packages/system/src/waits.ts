/**
 * Waiting. Events come first: `Wakeup` for one program's own, `within` for a promise that may never settle. `until`
 * looks again and again, for what nobody tells of: say at each call why no event serves. All timers end with the wait.
 */

/** Waits for some time, or until the signal is aborted: who must know which asks the signal. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await new Wakeup().next(ms, signal);
}

/** Resolves when the signal is aborted. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  signal.addEventListener(
    "abort",
    () => {
      resolve(undefined);
    },
    { once: true },
  );
  await promise;
}

/**
 * What a promise settles with; null when it does not within `limitMs`. What came in while this program itself stood still is
 * read first: its own stall is nobody else's silence.
 */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => {
    setImmediate(late.resolve, null);
  }, limitMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

export interface UntilOptions {
  everyMs: number;
  /** Default: without an end. */
  limitMs?: number;
  /** Ends the wait: of whoever is not waited for any more. */
  signal?: AbortSignal;
}

/**
 * Looks, and looks again every `everyMs`, until there is something to return.
 * @returns null when there was nothing within `limitMs`, or before the signal was aborted
 */
export async function until<T>(
  look: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  { everyMs, limitMs = Number.POSITIVE_INFINITY, signal }: UntilOptions,
): Promise<T | null> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() >= end || signal?.aborted === true) return null;
    await sleep(everyMs, signal);
  }
}

/** Wakes whoever waits; when nobody does, the next wait is over at once. For one waiter at a time. */
export class Wakeup {
  #woken = false;
  #resolve: () => void = () => undefined;

  wake(): void {
    this.#woken = true;
    this.#resolve();
  }

  /** Waits for a wake-up. @returns false when none came within `limitMs` or before the signal was aborted */
  async next(limitMs = Number.POSITIVE_INFINITY, signal?: AbortSignal): Promise<boolean> {
    if (!this.#woken && signal?.aborted !== true) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const end = () => {
        resolve(undefined);
      };
      this.#resolve = end;
      const timer = Number.isFinite(limitMs) ? setTimeout(end, limitMs) : undefined;
      signal?.addEventListener("abort", end, { once: true });
      await promise;
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
    }
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}
