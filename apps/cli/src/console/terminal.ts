/**
 * The user's terminal in raw mode: every key is passed on. However this program ends, the terminal is restored.
 */
import process from "node:process";

/** Raw mode until disposed; a signal or a crash restores the terminal too. */
export class RawTerminal implements Disposable {
  readonly #restore = () => {
    process.stdin.setRawMode(false);
  };

  constructor() {
    process.stdin.setRawMode(true);
    process.once("exit", this.#restore);
  }

  [Symbol.dispose](): void {
    process.off("exit", this.#restore);
    this.#restore();
  }
}

/** Aborted by the signals that ask a program to end; the terminal is restored then too. */
export function endedBySignal(): AbortSignal & Disposable {
  const ended = new AbortController();
  const names = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"] as const;
  const end = () => {
    ended.abort();
  };
  for (const name of names) process.once(name, end);
  return Object.assign(ended.signal, {
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, end);
    },
  });
}
