/** Tells tasks of each other's changes, within this server, which runs them all. */
import { EventEmitter } from "node:events";
import type { Task } from "@godwit/contract";

export class TaskChanges {
  readonly #signals = new EventEmitter<{ changed: [Task] }>();

  constructor() {
    this.#signals.setMaxListeners(0);
  }

  tell(task: Task): void {
    this.#signals.emit("changed", task);
  }

  watch(matters: (task: Task) => boolean, stopped: AbortSignal): TaskWatch {
    return new TaskWatch(this.#signals, matters, stopped);
  }
}

/** A change that comes while nobody waits is not lost: the next wait is over at once. */
export class TaskWatch implements Disposable {
  readonly #signals: EventEmitter<{ changed: [Task] }>;
  readonly #heard: (task: Task) => void;
  readonly #stopped: AbortSignal;
  #changed = false;
  #quiet = false;
  #wake: () => void = () => undefined;

  constructor(
    signals: EventEmitter<{ changed: [Task] }>,
    matters: (task: Task) => boolean,
    stopped: AbortSignal,
  ) {
    this.#signals = signals;
    this.#stopped = stopped;
    this.#heard = (task) => {
      if (!matters(task)) return;
      this.#changed = true;
      this.#wake();
    };
    signals.on("changed", this.#heard);
  }

  /** Whether the last wait ended without a change. */
  get isQuiet(): boolean {
    return this.#quiet;
  }

  /** Resolves with the next change, or after `limitMs`. @throws the reason when the server stops */
  async next(limitMs: number): Promise<void> {
    this.#stopped.throwIfAborted();
    if (!this.#changed) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#wake = () => {
        resolve(undefined);
      };
      const timer = setTimeout(this.#wake, limitMs);
      this.#stopped.addEventListener("abort", this.#wake, { once: true });
      await promise;
      clearTimeout(timer);
      this.#stopped.removeEventListener("abort", this.#wake);
      this.#stopped.throwIfAborted();
    }
    this.#quiet = !this.#changed;
    this.#changed = false;
  }

  [Symbol.dispose](): void {
    this.#signals.off("changed", this.#heard);
  }
}
