/** Quantities and tables for people. Pure. */
import { printableCell } from "./printable.ts";

import type { CpuTopology, PauseReason, VmState } from "@godwit/contract";

export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

export function formatMs(ms: number | null): string {
  if (ms === null) return "unknown";
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(2)} s`;
  const minutes = Math.floor(ms / 60_000);
  return `${String(minutes)} min ${String(Math.round((ms % 60_000) / 1000))} s`;
}

/** Columns as wide as their widest cell; the first row is the heading. */
export function formatTable(given: readonly (readonly string[])[]): string {
  const rows = given.map((row) => row.map(printableCell));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `50ms`, `2s`, `1.5s` or a bare number of milliseconds. */
export function parseMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a time; write 50ms or 2s.`);
  return Math.round(Number(match[1]) * (match[2] === "s" ? 1000 : 1));
}

/** `30`, `30s` or `2min`, in whole seconds. */
export function parseSeconds(text: string): number {
  const match = /^(\d+)(s|min)?$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a time in seconds; write 30 or 2min.`);
  return Number(match[1]) * (match[2] === "min" ? 60 : 1);
}

const mibOf = { m: 1, g: 1024, t: 1024 * 1024 } as const;

/** `512MiB`, `20GiB`, `1.5TiB`, or the same as `512M`, `20G`; in whole MiB. */
export function parseMib(text: string): number {
  const [, value, unit] = /^(\d+(?:\.\d+)?)(m|g|t)(?:ib)?$/.exec(text.toLowerCase()) ?? [];
  const mib = Math.round(Number(value) * mibOf[unit as keyof typeof mibOf]);
  if (!(mib > 0)) throw new Error(`"${text}" is not a size; write 512MiB or 20GiB.`);
  return mib;
}

/** What the API takes of a VM. */
const memoryMib = { least: 16, most: 4 * 1024 * 1024 };
const mostVcpus = 288;

/** Memory of a VM, in MiB. */
export function parseMemory(text: string): number {
  const mib = parseMib(text);
  if (mib < memoryMib.least || mib > memoryMib.most)
    throw new Error(`"${text}" is no memory that a VM can have; write 16MiB to 4TiB.`);
  return mib;
}

const leastTargetMib = 64;

/** What a guest is to have of its VM's memory, in MiB. */
export function parseMemoryTarget(text: string): number | "all" {
  if (text === "all") return text;
  const mib = parseMib(text);
  if (mib < leastTargetMib || mib > memoryMib.most)
    throw new Error(
      `"${text}" is no memory target; write ${String(leastTargetMib)}MiB up to the VM's memory, or all.`,
    );
  return mib;
}

export function parseVcpus(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > mostVcpus)
    throw new Error(`"${text}" is no number of vCPUs that a VM can have; write 1 to ${String(mostVcpus)}.`);
  return count;
}

/** `sockets=2,cores=4,threads=1`; of what is not said there is 1. */
export function parseTopology(text: string): CpuTopology {
  const counts = { sockets: 1, cores: 1, threads: 1 };
  const seen = new Set<string>();
  for (const part of text.split(",")) {
    const [, name = "", count = "0"] = /^(sockets|cores|threads)=(\d{1,3})$/.exec(part) ?? [];
    if (Number(count) < 1 || Number(count) > mostVcpus || seen.has(name))
      throw new Error(
        `"${text}" is not a CPU topology; write sockets=2,cores=4 or sockets=1,cores=4,threads=2.`,
      );
    seen.add(name);
    counts[name as keyof CpuTopology] = Number(count);
  }
  return counts;
}

/** A bandwidth in Mbit/s, or `none`. */
export function parseMbps(text: string): number | "none" {
  const mbps = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (text === "none") return text;
  if (mbps <= 0) throw new Error(`"${text}" is not a bandwidth in Mbit/s; write 500 or none.`);
  return mbps;
}

/** `30%`, as a share of one. */
export function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (match === null) throw new Error(`"${text}" is not a share; write 30%.`);
  return Number(match[1]) / 100;
}

/** `1gbit`, `100mbit`, in bits per second. */
export function parseBitRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(k|m|g)bit$/.exec(text.toLowerCase());
  if (match === null) throw new Error(`"${text}" is not a rate; write 1gbit or 100mbit.`);
  return Number(match[1]) * { k: 1e3, m: 1e6, g: 1e9 }[match[2] as "k" | "m" | "g"];
}

/** A VM's state with the reason of one that stands still, like `paused (no-space)`; of a stopped one that is suspended, that. */
export function vmStateText(state: VmState, pauseReason: PauseReason | null, suspended: boolean): string {
  if (state === "stopped" && suspended) return "suspended";
  return pauseReason === null ? state : `${state} (${pauseReason})`;
}
