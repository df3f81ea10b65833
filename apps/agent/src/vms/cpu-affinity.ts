/** The CPUs of this host that a VM is bound to: checked before it starts, and changed while it runs. */
import { readFile } from "node:fs/promises";
import { GodwitError, type CpuAffinity } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { run } from "@godwit/system";

/** The CPUs that processes started here may use, as the kernel lists them: `0-3,8`. */
async function availableList(): Promise<string> {
  const status = await readFile("/proc/self/status", "utf8");
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? "";
}

/** @returns the numbers of a list as the kernel writes it */
export function cpusOf(list: string): Set<number> {
  const cpus = new Set<number>();
  for (const part of list.split(",")) {
    const [first, last = first] = part.split("-").map(Number);
    if (first === undefined || last === undefined) continue;
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return cpus;
}

/** @throws CPU_AFFINITY_UNAVAILABLE where this host has not all of them */
export async function checkCpuAffinity(
  { name: vm, cpuAffinity }: { name: string; cpuAffinity?: CpuAffinity | null | undefined },
  host: string,
): Promise<void> {
  if (cpuAffinity === undefined || cpuAffinity === null) return;
  const available = await availableList();
  const cpus = cpusOf(available);
  if (cpuAffinity.every((cpu) => cpus.has(cpu))) return;
  throw GodwitError.of("CPU_AFFINITY_UNAVAILABLE", { vm, host, cpus: cpuAffinity, available });
}

/** All threads of a running QEMU. @param cpus null: every CPU that this host has for it */
export async function bindTo(process: QemuProcess, cpus: CpuAffinity | null): Promise<void> {
  const list = cpus === null ? await availableList() : cpus.join(",");
  await run("taskset", ["--all-tasks", "--cpu-list", "--pid", list, String(process.identity.pid)], {
    what: `binding VM ${process.spec.vm.name} to CPUs ${list}`,
  });
}
