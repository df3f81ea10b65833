/** This host's CPU: what it is, and how busy it is. */
import { cpus } from "node:os";
import type { CpuFacts, CpuLoad } from "@godwit/contract";
import type { HostCpu } from "../qemu/host-cpu.ts";
import { pressurePercent, readProc } from "./proc.ts";
import type { Rates } from "./rates.ts";

/** The kernel counts processor time in hundredths of a second for all programs (USER_HZ). */
export const ticksPerSecond = 100;

export async function cpuFacts(hostCpu: HostCpu): Promise<CpuFacts> {
  const report = await hostCpu.report();
  const logicalCpus = cpus().length;
  // What is simulated is what the host passes for.
  if (hostCpu.isSimulated && report !== null) {
    const model = `${report.brand} (simulated)`;
    return { vendor: report.vendor, model, logicalCpus, report, simulated: true };
  }
  const text = readProc("cpuinfo");
  const field = (name: string) =>
    new RegExp(`^${name}\\s*:\\s*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "unknown";
  return { vendor: field("vendor_id"), model: field("model name"), logicalCpus, report, simulated: false };
}

/** @throws Error when the kernel does not tell */
export function cpuLoad(rates: Rates, atMs: number): CpuLoad {
  const [one, five, fifteen] = readProc("loadavg").split(" ", 3).map(Number);
  if (one === undefined || five === undefined || fifteen === undefined)
    throw new Error("/proc/loadavg has fewer than three figures");
  const stat = readProc("stat");
  const cpusOf = (counter: string, ticks: number): number | null => {
    const perSecond = rates.perSecond(counter, ticks, atMs);
    return perSecond === null ? null : perSecond / ticksPerSecond;
  };
  return {
    usedCpus: cpusOf("cpu", busyTicks(stat)),
    stolenCpus: cpusOf("steal", stolenTicks(stat)),
    loadAverage: [one, five, fifteen],
    pressurePercent: pressurePercent("cpu"),
  };
}

/**
 * Of all logical CPUs together, from `/proc/stat`. Time of guests is a part of `user` and `nice`.
 * @throws Error when the line is not there
 */
export function busyTicks(stat: string): number {
  const figures = /^cpu\s+(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number);
  const [user, nice, system, , , irq, softirq, steal] = figures ?? [];
  if (user === undefined || nice === undefined || system === undefined)
    throw new Error("/proc/stat has no line of all CPUs");
  return user + nice + system + (irq ?? 0) + (softirq ?? 0) + (steal ?? 0);
}

/** Of those: what a hypervisor under this host gave to others. */
export const stolenTicks = (stat: string): number =>
  Number(/^cpu\s+(.*)$/m.exec(stat)?.[1]?.split(" ")[7] ?? 0);
