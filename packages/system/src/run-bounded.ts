/**
 * Runs a program that somebody else has written: it gets its input and an environment of its own, of what it says its last line is kept, and when it has
 * ended, or its time is over, what it has started in its process group is ended with it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { within } from "./waits.ts";

export interface BoundedRun {
  input: string;
  limitMs: number;
  env: Readonly<Record<string, string>>;
}

/** `code` null: it ended by a signal, was ended when its time was over, or did not start. */
export interface BoundedEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  isLate: boolean;
  /** The last line of its standard error that is not empty: printable ASCII, bounded. */
  lastLine: string;
}

const keptBytes = 4096;
const mostCharacters = 200;
/** What a program that it has left behind may keep open. */
const closeLimitMs = 1000;

export async function runBounded(
  argv: readonly string[],
  { input, limitMs, env }: BoundedRun,
): Promise<BoundedEnd> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { cwd: "/", env, detached: true, stdio: ["pipe", "ignore", "pipe"] });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  exited.catch(() => undefined);
  let said = Buffer.alloc(0);
  const over = new AbortController();
  const timer = setTimeout(() => {
    over.abort();
    endGroup(child.pid);
  }, limitMs);
  try {
    child.stderr.on("data", (data: Buffer) => {
      said = Buffer.concat([said, data]).subarray(-keptBytes);
    });
    const closed = once(child.stderr, "close");
    // One that does not read what it is told.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [code, signal] = await exited;
    endGroup(child.pid);
    await within(closed, closeLimitMs);
    child.stderr.destroy();
    const isLate = over.signal.aborted;
    return { code: isLate ? null : code, signal, isLate, lastLine: lastLineOf(said) };
  } catch (error) {
    const lastLine = `it could not be started: ${(error as NodeJS.ErrnoException).code ?? "unknown"}`;
    return { code: null, signal: null, isLate: over.signal.aborted, lastLine };
  } finally {
    clearTimeout(timer);
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
}

function lastLineOf(said: Buffer): string {
  const lines = said.toString("latin1").split(/[\r\n]+/);
  const last = lines.findLast((line) => line.trim() !== "") ?? "";
  return last
    .trim()
    .replace(/[^\x20-\x7e]/g, "?")
    .slice(0, mostCharacters);
}
