/** The VMs that have, or had, a process on this host, with what each process uses. */
import { readlinkSync } from "node:fs";
import type { VmLoad, VmRuntime } from "@godwit/contract";
import { ticksPerSecond } from "./cpu.ts";
import { readProc } from "./proc.ts";
import type { Rates } from "./rates.ts";
import type { VmCounterReader } from "./vm-counters.ts";

const counters = ["ticks", "readyNs", "readBytes", "writtenBytes", "receivedBytes", "sentBytes"] as const;

/** @param rates of these processes only */
export function vmLoads(
  runtimes: readonly VmRuntime[],
  rates: Rates,
  reader: VmCounterReader,
  atMs: number,
): VmLoad[] {
  const pids = new Set(runtimes.flatMap(({ pid }) => (pid === null ? [] : [pid])));
  const nameOf = (pid: number, counter: (typeof counters)[number]) => `process ${String(pid)} ${counter}`;
  rates.keep(new Set([...pids].flatMap((pid) => counters.map((counter) => nameOf(pid, counter)))));
  const countersOf = reader.begin(pids, atMs);
  return runtimes.map((runtime) => {
    const { pid } = runtime;
    const usage = pid === null ? null : usageOf(pid);
    if (pid === null || usage === null)
      return { ...runtime, usedCpus: null, residentBytes: null, qemuReplaced: null };
    // A VM that is started again has another process, whose time begins again.
    const rate = (counter: (typeof counters)[number], value: number | null, unit = 1): number | null => {
      const perSecond = value === null ? null : rates.perSecond(nameOf(pid, counter), value, atMs);
      return perSecond === null ? null : perSecond / unit;
    };
    const { readyNs, readBytes, writtenBytes, receivedBytes, sentBytes } = countersOf(runtime.id, pid);
    return {
      ...runtime,
      usedCpus: rate("ticks", usage.ticks, ticksPerSecond),
      residentBytes: usage.residentBytes,
      readyCpus: rate("readyNs", readyNs, 1e9),
      swappedBytes: usage.swappedBytes,
      diskReadBytesPerSecond: rate("readBytes", readBytes),
      diskWrittenBytesPerSecond: rate("writtenBytes", writtenBytes),
      receivedBytesPerSecond: rate("receivedBytes", receivedBytes),
      sentBytesPerSecond: rate("sentBytes", sentBytes),
      qemuReplaced: isProgramReplaced(pid),
    };
  });
}

/** Null where the process has just ended. */
function usageOf(
  pid: number,
): { ticks: number; residentBytes: number | null; swappedBytes: number | null } | null {
  try {
    const status = readProc(`${String(pid)}/status`);
    const bytes = (field: string): number | null => {
      const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
      return kib === undefined ? null : Number(kib) * 1024;
    };
    return {
      ticks: processTicks(readProc(`${String(pid)}/stat`)),
      ...{ residentBytes: bytes("VmRSS"), swappedBytes: bytes("VmSwap") },
    };
  } catch {
    return null;
  }
}

/**
 * Whether the file that a process runs from is not at its place any more: a package manager puts the new one there by its
 * name. Null: it has just ended, or this program may not look.
 */
export function isProgramReplaced(pid: number): boolean | null {
  try {
    return readlinkSync(`/proc/${String(pid)}/exe`).endsWith(" (deleted)");
  } catch {
    return null;
  }
}

/** Memory of a process that is in RAM; null: it has just ended, or does not tell. */
export const residentBytesOf = (pid: number): number | null => usageOf(pid)?.residentBytes ?? null;

/** Processor time of all its threads, from `/proc/PID/stat`: fields 14 and 15 of proc(5). */
export function processTicks(stat: string): number {
  // The name in parentheses may hold anything; the fields follow the last parenthesis.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
