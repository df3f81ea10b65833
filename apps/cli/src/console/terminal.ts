/**
 * The user's terminal while something else has it: every key goes there, and whatever ends this program,
 * the terminal is as it was.
 */
import process from "node:process";

/** Keys as they are pressed, until disposed; also a signal and a crash give the terminal back. */
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

/** Aborted by the signals that ask a program to end; the terminal is given back on the way. */
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
