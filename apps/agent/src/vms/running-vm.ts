/** The VMs that a host runs: what it tells of one, and the lease without which it lets none run. */
import type { Vm, VmId, VmRuntime } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Leases } from "../leases/leases.ts";
import type { Processes } from "../qemu/processes.ts";

/** A VM that has a process, and what it is since it was powered on. */
export interface Started {
  runtime: VmRuntime;
  vm: Vm;
}

export function startedAs(processes: Processes, vmId: VmId): Started {
  const runtime = processes.runtimes.find(({ id }) => id === vmId);
  const process = processes.of(vmId);
  if (runtime === undefined || process === undefined) throw new Error(`VM ${vmId} has no process`);
  return { runtime, vm: process.spec.vm };
}

/** @param existing was started under a lease of shared storage, or is not let run any more */
export async function mustHaveLease(
  leases: Pick<Leases, "acquire" | "convert" | "isOnDisk">,
  vm: Vm,
  existing: QemuProcess | null = null,
): Promise<void> {
  const mustHave = existing !== null && leases.isOnDisk(vm);
  const answer = await (mustHave ? leases.convert(vm, "EX") : leases.acquire(vm, "EX"));
  if (answer.kind === "refused") throw answer.error;
}
