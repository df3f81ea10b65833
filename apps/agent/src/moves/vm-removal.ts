/** Takes a VM off this host, at either end of a move. */
import type { Vm } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import { endForSure } from "../qemu/end-for-sure.ts";
import type { MoveDependencies } from "./dependencies.ts";

/**
 * Ends its QEMU, and returns when that is proven gone, for the lease goes next. Meanwhile its taps are removed; those that cannot
 * be are logged, and an agent that starts removes what is left.
 * @param as what became of the VM here, for the inventory; null: that is told when its lease is given back
 * @returns what ends with the removal of the taps: whoever has the VM's claim keeps it until then
 */
export async function removeVm(
  { processes, environment }: Pick<MoveDependencies, "processes" | "environment">,
  log: Logger,
  vm: Vm,
  process: QemuProcess | null,
  as: "moved" | "lost" | null,
): Promise<{ tapsRemoved: Promise<void> }> {
  if (process !== null) {
    processes.ending(process.vmId);
    await endForSure(process, log);
    if (as === null) processes.gone(process.vmId);
    else processes.remove(process.vmId, as);
  }
  const tapsRemoved = environment.release(vm).catch((error: unknown) => {
    log.error({ err: error }, "the VM's taps or volumes could not be removed");
  });
  return { tapsRemoved };
}
