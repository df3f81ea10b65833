/** What the server does of itself, again and again: a round some time after the last has ended. One that fails is reported and repeated. */
import { sleep } from "@godwit/system";

export class Rounds {
  readonly #everyMs: number;
  readonly #round: () => Promise<void>;
  readonly #failed: (error: unknown) => void;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  /** @param failed called with what a round throws, but not with what the stop brings about */
  constructor(everyMs: number, round: () => Promise<void>, failed: (error: unknown) => void) {
    this.#everyMs = everyMs;
    this.#round = round;
    this.#failed = failed;
  }

  /** Aborted when it is stopped. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** The first round is `everyMs` from now. */
  start(): void {
    this.#running = this.#goOn();
  }

  /** Resolves when the round that is under way has ended. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await sleep(this.#everyMs, signal);
      if (signal.aborted) return;
      try {
        await this.#round();
      } catch (error) {
        if (!this.isStopped) this.#failed(error);
      }
    }
  }
}
