/** A daemon that a bench starts for itself: ready when its condition holds, ended with its scope. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { GodwitError } from "@godwit/contract/errors";

export interface DaemonOptions {
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Resolves once the daemon can be used; gives up when the signal is aborted. */
  readonly ready: (child: ChildProcess, signal: AbortSignal) => Promise<unknown>;
}

export class Daemon implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @throws PROGRAM_FAILED with its last words when it ends before it is ready */
  static async start({ argv, environment, ready }: DaemonOptions): Promise<Daemon> {
    const [program, ...args] = argv;
    const child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    let words = "";
    child.stderr?.on("data", (bytes: Buffer) => (words = (words + bytes.toString()).slice(-600)));
    const over = new AbortController();
    const ended = once(child, "exit", { signal: over.signal }).then(() => {
      throw GodwitError.of("PROGRAM_FAILED", { program, what: "starting it", output: words.trim() });
    });
    ended.catch(() => undefined);
    try {
      await Promise.race([ready(child, over.signal), ended]);
    } finally {
      over.abort();
    }
    return new Daemon(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}
