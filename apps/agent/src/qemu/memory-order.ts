/**
 * An emulated guest of several NUMA nodes whose QEMU was started before the largest node came first: QEMU from 9.0 on may end itself while it sends its memory,
 * in a move, a suspension or a snapshot.
 */
import { GodwitError } from "@godwit/contract";
import { isLargestFirst, type QemuProcess } from "@godwit/hypervisor";
import { processArguments } from "@godwit/system";

type Asked = Pick<QemuProcess, "identity" | "spec" | "version">;

/** Whether it is one; false also where its arguments cannot be read any more. @throws any error of QMP */
export async function isOutOfOrder(process: Asked): Promise<boolean> {
  const { vm, accelerator } = process.spec;
  if (accelerator !== "tcg" || vm.numa === undefined) return false;
  const argv = await processArguments(process.identity.pid);
  if (argv === null || isLargestFirst(argv)) return false;
  const [major] = (await process.version()).split(".");
  return Number(major) >= 9;
}

/** @throws VM_MEMORY_ORDER */
export async function mustBeOrdered(process: Asked): Promise<void> {
  if (await isOutOfOrder(process)) throw GodwitError.of("VM_MEMORY_ORDER", { vm: process.spec.vm.name });
}
