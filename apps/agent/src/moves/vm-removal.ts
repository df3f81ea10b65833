/** Takes a VM off this host, at either end of a move. */
import type { Vm } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { Logger } from "pino";
import type { MoveDependencies } from "./dependencies.ts";

/**
 * Ends its QEMU, then removes its taps. Taps that cannot be removed are logged: no move waits for them.
 * @param as what became of the VM here, for the inventory
 */
export async function removeVm(
  { processes, environment }: Pick<MoveDependencies, "processes" | "environment">,
  log: Logger,
  vm: Vm,
  process: QemuProcess | null,
  as: "moved" | "lost",
): Promise<void> {
  if (process !== null) {
    processes.remove(process.vmId, as);
    await process.end();
  }
  await environment.deleteTaps(vm).catch((error: unknown) => {
    log.error({ err: error }, "the VM's taps could not be removed");
  });
}
