/** Transient units of systemd, in which VMs and the holders of their leases run and outlive the agent. */
import { existsSync } from "node:fs";
import { readFileOrNull } from "./files.ts";
import { run } from "./run.ts";

/** What all processes of a unit may use together. */
export interface UnitLimits {
  memoryMaxBytes: number;
  tasksMax: number;
  /** CPUs; null: no bound. */
  cpus: number | null;
}

/** The unit of a VM's QEMU that is under no lease. */
export const vmUnit = (vmId: string): string => `godwit-vm-${vmId}.service`;
/** The unit of the holder of a VM's lease, and of the QEMU that it started. */
export const leaseUnit = (vmId: string): string => `godwit-lease-${vmId}.service`;

interface UnitOfProcess {
  unit: string;
  /** Below /sys/fs/cgroup. */
  group: string;
}

/**
 * The unit of a VM that its QEMU runs in. @param text of the process' `/proc/PID/cgroup`
 * @throws Error when it runs in none
 */
export function unitOfVm(text: string, vmId: string): UnitOfProcess {
  const group = /^0::(\/.*)$/m.exec(text)?.[1] ?? "";
  const unit = [vmUnit(vmId), leaseUnit(vmId)].find((one) => group.endsWith(`/${one}`));
  if (unit === undefined)
    throw new Error(
      `its QEMU runs in no unit of its own (${group || "without cgroup v2"}): it was started by an earlier version, or by hand`,
    );
  return { unit, group };
}

/** Whether it is systemd that runs this machine. */
export const systemdRuns = (): boolean => existsSync("/run/systemd/system");

export const limitProperties = ({ memoryMaxBytes, tasksMax, cpus }: UnitLimits): string[] => [
  `MemoryMax=${String(memoryMaxBytes)}`,
  `TasksMax=${String(tasksMax)}`,
  ...cpuLimitProperties(cpus),
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

/**
 * The most CPU time that all processes of a unit get together, also while more is free; null: no bound (`cpu.max`). systemd takes whole percents.
 * A short period: a guest that has used up its part stands still for some milliseconds, and not for most of the usual 100 ms.
 */
export const cpuLimitProperties = (cpus: number | null): string[] =>
  cpus === null
    ? ["CPUQuota=", "CPUQuotaPeriodSec="]
    : [`CPUQuota=${String(wholePercent(cpus))}%`, "CPUQuotaPeriodSec=20ms"];

/** As units can be limited: like 1.5, in hundredths. */
export const limitableCpus = (cpus: number): number => wholePercent(cpus) / 100;

const wholePercent = (cpus: number): number => Math.max(1, Math.round(cpus * 100));

/** Limits the CPUs of a unit that runs, until it ends. @param cpus null: no bound @throws PROGRAM_FAILED */
export async function limitUnitCpus(unit: string, cpus: number | null): Promise<void> {
  await run("systemctl", ["set-property", "--runtime", unit, ...cpuLimitProperties(cpus)], {
    what: `limiting the CPUs of unit ${unit}`,
  });
}

/** Limits the memory of a unit that runs, until it ends. @throws PROGRAM_FAILED */
export async function limitUnitMemory(unit: string, maxBytes: number): Promise<void> {
  await run("systemctl", ["set-property", "--runtime", unit, `MemoryMax=${String(maxBytes)}`], {
    what: `limiting the memory of unit ${unit}`,
  });
}

/** What a control group's `cpu.max` says, in CPUs; null: no bound. @throws Error when it cannot be understood */
export function cpusOfMax(text: string): number | null {
  const [, quota = "", period = ""] = /^(\d+|max) (\d+)$/.exec(text.trim()) ?? [];
  if (quota === "max") return null;
  const cpus = Number(quota) / Number(period);
  if (quota === "" || !Number.isFinite(cpus))
    throw new Error(`cpu.max is ${JSON.stringify(text.slice(0, 40))}`);
  return cpus;
}

/** Why units have neither weights nor limits of CPUs on this machine, the end of a sentence; null: they have. */
export async function cpuControlProblem(): Promise<string | null> {
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
