/** Transient units of systemd, in which VMs and the holders of their leases run and outlive the agent. */
import { existsSync } from "node:fs";
import { readFileOrNull } from "./files.ts";
import { run } from "./run.ts";

/** What all processes of a unit may use together. */
export interface UnitLimits {
  memoryMaxBytes: number;
  tasksMax: number;
}

/** Whether it is systemd that runs this machine. */
export const systemdRuns = (): boolean => existsSync("/run/systemd/system");

export const limitProperties = ({ memoryMaxBytes, tasksMax }: UnitLimits): string[] => [
  `MemoryMax=${String(memoryMaxBytes)}`,
  `TasksMax=${String(tasksMax)}`,
];

/**
 * Of a unit whose processes outlive the agent, and one another: systemd ends none of them because another was ended, also
 * where the kernel did so for want of memory. A VM's lease is not given back because its QEMU is gone.
 */
export const outlivingProperties = ["KillMode=process", "OOMPolicy=continue"] as const;

/** Limits a unit that runs, until it ends. @throws PROGRAM_FAILED */
export async function limitUnit(unit: string, limits: UnitLimits): Promise<void> {
  await run("systemctl", ["set-property", "--runtime", unit, ...limitProperties(limits)], {
    what: `limiting unit ${unit}`,
  });
}

/** Weights a unit that runs, where units want more CPUs than there are, until it ends. @throws PROGRAM_FAILED */
export async function weighUnit(unit: string, weight: number): Promise<void> {
  await run("systemctl", ["set-property", "--runtime", unit, `CPUWeight=${String(weight)}`], {
    what: `weighting unit ${unit}`,
  });
}

/** Why units have no weights on this machine, the end of a sentence; null: they have. */
export async function weightsProblem(): Promise<string | null> {
  return problemOf(["cpu"], systemdRuns(), await readFileOrNull("/sys/fs/cgroup/cgroup.controllers"));
}

/** Why units have no limits on this machine, the end of a sentence; null: they have. */
export async function limitsProblem(): Promise<string | null> {
  return problemOfLimits(systemdRuns(), await readFileOrNull("/sys/fs/cgroup/cgroup.controllers"));
}

/** @param controllers of the root of cgroup v2; null: that is not mounted where systemd has it */
export const problemOfLimits = (hasSystemd: boolean, controllers: string | null): string | null =>
  problemOf(["memory", "pids"], hasSystemd, controllers);

function problemOf(
  needed: readonly string[],
  hasSystemd: boolean,
  controllers: string | null,
): string | null {
  if (!hasSystemd) return "systemd does not run there";
  if (controllers === null)
    return "its kernel was not started with cgroup v2 (systemd.unified_cgroup_hierarchy)";
  const missing = needed.filter((one) => !controllers.trim().split(" ").includes(one));
  return missing.length === 0 ? null : `cgroup v2 has no controller ${missing.join(" and ")} there`;
}
