/** Processes of this machine by pid and start time: a pid alone may have been given to another since. */
import { readFileSync } from "node:fs";
import { sleep } from "./waits.ts";

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot, field 22 of /proc/PID/stat. */
  startTicks: number;
}

/** Who has this pid now; null when nobody has (a zombie counts as nobody). */
export function identifyProcess(pid: number): Promise<ProcessIdentity | null> {
  return Promise.resolve(identityOf(pid));
}

function identityOf(pid: number): ProcessIdentity | null {
  let stat: string;
  try {
    // Not by the thread pool: reads of storage that hangs may fill it, and this is how their processes are ended.
    stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
  } catch {
    return null;
  }
  // The name in parentheses may hold anything; the fields follow the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // A main thread may have ended while others still hold the process' files open.
  const lastThread = Number(fields[17]) <= 1;
  if ((fields[0] === "Z" && lastThread) || fields[0] === "X") return null;
  return { pid, startTicks: Number(fields[19]) };
}

export async function isAlive(process: ProcessIdentity): Promise<boolean> {
  const now = await identifyProcess(process.pid);
  return now?.startTicks === process.startTicks;
}

/** Sends a signal to exactly this process; false when it is already gone. */
export async function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(target))) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ends a process: `signal`, then SIGKILL after `graceMs`. Resolves when it is gone.
 * Only a parent is notified of a process's end; for any other process polling is the only way.
 */
export async function endProcess(
  target: ProcessIdentity,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  await signalProcess(target, signal);
  const killAt = performance.now() + graceMs;
  let killed = false;
  while (await isAlive(target)) {
    if (!killed && performance.now() >= killAt) {
      killed = true;
      await signalProcess(target, "SIGKILL");
    }
    await sleep(10);
  }
}
