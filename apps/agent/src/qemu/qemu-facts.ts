/** The QEMU of this host: what it can give a VM. In a lab no more than the CPU has that the host passes for. */
import type { QemuFacts } from "@godwit/contract";
import type { Hypervisor } from "@godwit/hypervisor";
import { readFileOrNull } from "@godwit/system";
import type { HostCpu } from "./host-cpu.ts";

const userfaultfd = "/proc/sys/vm/unprivileged_userfaultfd";

/** @throws PROGRAM_MISSING and what the hypervisor throws */
export async function readQemu(hypervisor: Hypervisor, cpu: HostCpu): Promise<QemuFacts> {
  const facts = await cpu.limit(await hypervisor.facts());
  return (await mayHandlePageFaults()) ? facts : { ...facts, postcopyUnavailable };
}

const postcopyUnavailable = "it may not handle its guest's page faults (userfaultfd).";

/** In a post-copy QEMU handles page faults of its guest itself, for which an ordinary user needs the host's permission. */
async function mayHandlePageFaults(): Promise<boolean> {
  return (await readFileOrNull(userfaultfd))?.trim() !== "0";
}
