/** The QEMU of this host: what it can give a VM. In a lab no more than the CPU has that the host passes for. */
import type { QemuFacts } from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import type { HostCpu } from "./host-cpu.ts";

/** @throws PROGRAM_MISSING and what the hypervisor throws */
export async function readQemu(hypervisor: Hypervisor, cpu: HostCpu): Promise<QemuFacts> {
  return await cpu.limit(await hypervisor.facts());
}
