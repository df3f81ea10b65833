/** The processor time that the copy of a VM takes on this host, as the kernel counts it. */
import type { HostMoveCpu } from "@godwit/contract";
import { readProc } from "../host/proc.ts";
import { vcpuThreads } from "../host/vm-counters.ts";

/** USER_HZ, in which proc(5) counts on every architecture that QEMU runs guests of Godwit's on. */
const tickMs = 10;

export class CopyCpu {
  readonly #pid: number;
  readonly #agent = process.cpuUsage();
  readonly #qemuMs: number | null;

  /** Counts from now on; of QEMU, where `isNew`, from its start. */
  constructor(pid: number, isNew: boolean) {
    this.#pid = pid;
    this.#qemuMs = isNew ? 0 : besideVcpusMs(pid);
  }

  /** @returns what was used since; null: the kernel does not tell, or the process has ended */
  used(): HostMoveCpu | null {
    const nowMs = besideVcpusMs(this.#pid);
    if (nowMs === null || this.#qemuMs === null) return null;
    const { user, system } = process.cpuUsage(this.#agent);
    return { qemuMs: Math.max(0, nowMs - this.#qemuMs), agentMs: Math.round((user + system) / 1000) };
  }
}

/** Of a QEMU: threads of the copy that have ended count too. */
function besideVcpusMs(pid: number): number | null {
  try {
    const all = processMs(readProc(`${String(pid)}/stat`));
    if (all === null) return null;
    const vcpus = vcpuThreads(pid).map((tid) => ranMs(readProc(`${String(pid)}/task/${tid}/schedstat`)));
    return vcpus.reduce<number | null>((left, ms) => (left === null || ms === null ? null : left - ms), all);
  } catch {
    return null;
  }
}

/** `utime` and `stime` of `/proc/PID/stat` (proc_pid_stat(5)), fields 14 and 15; the name before them may have spaces and parentheses. */
export function processMs(stat: string): number | null {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return Number.isSafeInteger(ticks) ? ticks * tickMs : null;
}

/** Time on a CPU, the first field of `schedstat` (Documentation/scheduler/sched-stats.rst). */
function ranMs(schedstat: string): number | null {
  const field = schedstat.split(" ")[0] ?? "";
  return /^\d+$/.test(field) ? Math.round(Number(field) / 1e6) : null;
}
