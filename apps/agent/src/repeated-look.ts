/**
 * A look that repeats itself, for what nothing tells of: the next begins some time after the last has ended, so that
 * two never run at once. A look that fails is reported and repeated like any other.
 */
export class RepeatedLook {
  readonly #everyMs: number;
  readonly #look: () => Promise<unknown>;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param failed called with what a look throws */
  constructor(everyMs: number, look: () => Promise<unknown>, failed: (error: unknown) => void) {
    this.#everyMs = everyMs;
    this.#look = look;
    this.#failed = failed;
  }

  /** The first look is `everyMs` from now. */
  start(): void {
    this.#timer = setTimeout(() => {
      void this.#look()
        .catch(this.#failed)
        .finally(() => {
          if (!this.#stopped) this.start();
        });
    }, this.#everyMs);
  }

  /** A look that is under way is the last. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
