/**
 * Processes of this machine by pid and start time: a pid alone may have been given to another since.
 * Only ENOENT and ESRCH mean that a process is gone. A look that fails for any other reason (no descriptors, no
 * memory) throws PROCESS_UNREADABLE: it is no answer, and nothing that cannot be undone may follow from it.
 */
import { readFileSync } from "node:fs";
import { GodwitError } from "@godwit/contract/errors";
import { sleep } from "./waits.ts";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat. */
  startTicks: number;
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "unknown";
const meansGone = (error: unknown): boolean => ["ENOENT", "ESRCH"].includes(codeOf(error));

/** Who has this pid now; null when nobody has (a zombie counts as nobody). @throws PROCESS_UNREADABLE */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  return await Promise.try(() => identityOf(pid));
}

/** The argument vector of a process, which the process itself may have changed; null when it is gone. @throws PROCESS_UNREADABLE */
export async function processArguments(pid: number): Promise<string[] | null> {
  return await Promise.try(() => readOf(pid, "cmdline")?.split("\0").slice(0, -1) ?? null);
}

function identityOf(pid: number): ProcessIdentity | null {
  const stat = readOf(pid, "stat");
  if (stat === null) return null;
  // The name in parentheses may hold anything; the fields follow the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTicks = Number(fields[19]);
  if (!Number.isSafeInteger(startTicks)) throw unreadable(pid, "/proc tells no start time");
  // A main thread may have ended while others still hold the process' files open.
  const lastThread = Number(fields[17]) <= 1;
  if ((fields[0] === "Z" && lastThread) || fields[0] === "X") return null;
  return { pid, startTicks };
}

function readOf(pid: number, file: "stat" | "cmdline"): string | null {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  try {
    // Not by the thread pool: reads of storage that hangs may fill it, and this is how their processes are ended.
    return readFileSync(`/proc/${String(pid)}/${file}`, "utf8");
  } catch (error) {
    if (meansGone(error)) return null;
    throw unreadable(pid, codeOf(error), error);
  }
}

function unreadable(pid: number, reason: string, cause?: unknown): GodwitError {
  return GodwitError.of("PROCESS_UNREADABLE", { pid, reason }, { cause });
}

/** @throws PROCESS_UNREADABLE */
export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  return (await identifyProcess(process.pid))?.startTicks === process.startTicks;
}

/** As far as can be seen now; null: it could not be looked at. */
export async function isAliveOrUnknown(target: ProcessIdentity): Promise<boolean | null> {
  try {
    return await isAlive(target);
  } catch (error) {
    if (GodwitError.is(error, "PROCESS_UNREADABLE")) return null;
    throw error;
  }
}

/**
 * Sends a signal to exactly this process; false when it is already gone.
 *
 * Node has no pidfds. The look and the signal are two system calls in a row, with nothing of this program between
 * them: to hit another process, this one would have to end and be reaped, and all other pids (2^22 where systemd
 * runs, never fewer than 2^15) be given away in those microseconds, for Linux gives each pid in turn.
 * @throws PROCESS_UNREADABLE, and then nothing was signalled; EPERM
 */
export async function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  return await Promise.try(() => {
    if (identityOf(target.pid)?.startTicks !== target.startTicks) return false;
    try {
      process.kill(target.pid, signal);
      return true;
    } catch (error) {
      if (meansGone(error)) return false;
      throw error;
    }
  });
}

/**
 * Ends a process: `signal`, then SIGKILL after `graceMs`. Resolves when it is gone; a look that fails is repeated.
 * Only a parent is notified of a process's end; for any other process polling is the only way.
 */
export async function endProcess(
  target: ProcessIdentity,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  const killAt = performance.now() + graceMs;
  let sent: NodeJS.Signals | null = null;
  for (;;) {
    const wanted = performance.now() >= killAt ? "SIGKILL" : signal;
    try {
      const lives = wanted === sent ? await isAlive(target) : await signalProcess(target, wanted);
      if (!lives) return;
      sent = wanted;
    } catch (error) {
      if (!GodwitError.is(error, "PROCESS_UNREADABLE")) throw error;
    }
    await sleep(10);
  }
}
