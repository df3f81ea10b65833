/** The VMs that have, or had, a process on this host, with what each process uses. */
import { readlinkSync } from "node:fs";
import type { VmLoad, VmRuntime } from "@godwit/contract";
import { ticksPerSecond } from "./cpu.ts";
import { readProc } from "./proc.ts";
import type { Rates } from "./rates.ts";

/** @param rates of these processes only */
export function vmLoads(runtimes: readonly VmRuntime[], rates: Rates, atMs: number): VmLoad[] {
  const counterOf = (pid: number) => `process ${String(pid)}`;
  rates.keep(new Set(runtimes.flatMap(({ pid }) => (pid === null ? [] : counterOf(pid)))));
  return runtimes.map((runtime) => {
    const { pid } = runtime;
    const usage = pid === null ? null : usageOf(pid);
    if (pid === null || usage === null)
      return { ...runtime, usedCpus: null, residentBytes: null, qemuReplaced: null };
    // A VM that is started again has another process, whose time begins again.
    const perSecond = rates.perSecond(counterOf(pid), usage.ticks, atMs);
    return {
      ...runtime,
      usedCpus: perSecond === null ? null : perSecond / ticksPerSecond,
      residentBytes: usage.residentBytes,
      qemuReplaced: isProgramReplaced(pid),
    };
  });
}

/** Null where the process has just ended. */
function usageOf(pid: number): { ticks: number; residentBytes: number | null } | null {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${String(pid)}/status`))?.[1];
    return {
      ticks: processTicks(readProc(`${String(pid)}/stat`)),
      residentBytes: kib === undefined ? null : Number(kib) * 1024,
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
