/** What processes used, from /proc. */
import { readFile } from "node:fs/promises";

const ticksPerSecond = 100;

/** Processor time of a process, user and system. @param withEnded also of its children that have ended */
export async function cpuSecondsOf(pid: number, withEnded = false): Promise<number> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, "utf8");
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return (user + system + (withEnded ? endedUser + endedSystem : 0)) / ticksPerSecond;
}

/** Of a process and all its children, those that have ended too. */
export async function familyCpuSeconds(pid: number): Promise<number> {
  const children = await readFile(`/proc/${String(pid)}/task/${String(pid)}/children`, "utf8");
  const pids = children.trim().split(" ").filter(Boolean).map(Number);
  const each = await Promise.all(pids.map((child) => cpuSecondsOf(child).catch(() => 0)));
  return each.reduce((sum, one) => sum + one, await cpuSecondsOf(pid, true));
}

export async function rssMibOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${String(pid)}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}
