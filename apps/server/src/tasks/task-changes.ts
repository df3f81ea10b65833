/** Announces the changes of tasks to each other, within this server, which runs them all. */
import { EventEmitter } from "node:events";
import type { Task } from "@godwit/contract";
import { Wakeup } from "@godwit/system";

export class TaskChanges {
  readonly #signals = new EventEmitter<{ changed: [Task] }>();

  constructor() {
    this.#signals.setMaxListeners(0);
  }

  announce(task: Task): void {
    this.#signals.emit("changed", task);
  }

  watch(matters: (task: Task) => boolean, stopped: AbortSignal): TaskWatch {
    return new TaskWatch(this.#signals, matters, stopped);
  }
}

/** A change that comes while nobody waits is not lost: the next wait is over at once. */
export class TaskWatch implements Disposable {
  readonly #signals: EventEmitter<{ changed: [Task] }>;
  readonly #listener: (task: Task) => void;
  readonly #stopped: AbortSignal;
  readonly #changed = new Wakeup();

  constructor(
    signals: EventEmitter<{ changed: [Task] }>,
    matters: (task: Task) => boolean,
    stopped: AbortSignal,
  ) {
    this.#signals = signals;
    this.#stopped = stopped;
    this.#listener = (task) => {
      if (matters(task)) this.#changed.wake();
    };
    signals.on("changed", this.#listener);
  }

  /** Resolves with the next change, or after `limitMs`. @throws the reason when the server stops */
  async next(limitMs: number): Promise<void> {
    this.#stopped.throwIfAborted();
    await this.#changed.next(limitMs, this.#stopped);
    this.#stopped.throwIfAborted();
  }

  [Symbol.dispose](): void {
    this.#signals.off("changed", this.#listener);
  }
}
