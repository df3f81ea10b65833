/**
 * An emulated guest of several NUMA nodes whose QEMU was started before the largest node came first: QEMU from 9.0 on may end itself while it sends its memory,
 * in a move, a suspension or a snapshot.
 */
import { GodwitError } from "@godwit/contract";
import { isLargestFirst, type QemuProcess } from "@godwit/hypervisor";
import { processArguments } from "@godwit/system";

/** @throws VM_MEMORY_ORDER */
export async function mustBeOrdered(
  process: Pick<QemuProcess, "identity" | "spec" | "version">,
): Promise<void> {
  const { vm, accelerator } = process.spec;
  if (accelerator !== "tcg" || vm.numa === undefined) return;
  const argv = await processArguments(process.identity.pid);
  if (argv === null || isLargestFirst(argv)) return;
  const [major] = (await process.version()).split(".");
  if (Number(major) < 9) return;
  throw GodwitError.of("VM_MEMORY_ORDER", { vm: vm.name });
}
