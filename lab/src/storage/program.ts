/**
 * A program that runs beside this one and never outlives it: the kernel kills it when this process dies, `end` does
 * so before. What it says is kept, so that it can be waited for and quoted when the program ends too early.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { GodwitError } from "@godwit/contract";
import { endProcess, identifyProcess, Wakeup, type ProcessIdentity } from "@godwit/system";

export interface ProgramOptions {
  /** In words: "the NFS server". Appears in errors. */
  what: string;
  argv: readonly string[];
  env?: Readonly<Record<string, string>>;
}

const readyLimitMs = 120_000;

export class Program implements AsyncDisposable {
  /** Resolves when it is gone. */
  readonly ended: Promise<void>;
  readonly #what: string;
  readonly #identity: ProcessIdentity;
  readonly #lines: string[] = [];
  /** It said something, or ended. */
  readonly #news = new Wakeup();
  #isOver = false;

  private constructor(what: string, identity: ProcessIdentity, ended: Promise<unknown>) {
    this.#what = what;
    this.#identity = identity;
    this.ended = ended.then(() => {
      this.#isOver = true;
      this.#news.wake();
    });
  }

  /** @throws PROGRAM_FAILED when it ends at once */
  static async start({ what, argv, env = {} }: ProgramOptions): Promise<Program> {
    // setpriv becomes the program, so the pid is the program's.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], {
      cwd: "/",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const closed = once(child, "close");
    await once(child, "spawn");
    const identity = await identifyProcess(child.pid ?? 0);
    if (identity === null) throw failure(what, "it ended at once");
    const program = new Program(what, identity, closed);
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        program.#lines.push(line);
        program.#news.wake();
      });
    return program;
  }

  get pid(): number {
    return this.#identity.pid;
  }
  get isOver(): boolean {
    return this.#isOver;
  }
  /** What it said last, in one line. */
  get lastWords(): string {
    return this.#lines.slice(-4).join(" / ").slice(-600);
  }

  /** Waits until it says a line that fits. @throws PROGRAM_FAILED with its last words when it ends first or is late */
  async says(pattern: RegExp): Promise<void> {
    const until = performance.now() + readyLimitMs;
    while (!this.#lines.some((line) => pattern.test(line))) {
      if (this.#isOver) throw this.failed("it ended");
      if (performance.now() > until) throw this.failed("it was not ready in time");
      await this.#news.next(until - performance.now());
    }
  }

  /** What is thrown when it did not start, with its last words. */
  failed(why: string): GodwitError {
    return failure(this.#what, `${why}: ${this.lastWords}`);
  }

  async end(): Promise<void> {
    await endProcess(this.#identity, "SIGKILL", 0);
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

const failure = (what: string, output: string): GodwitError =>
  GodwitError.of("PROGRAM_FAILED", { program: what, what: "it was started", output });
