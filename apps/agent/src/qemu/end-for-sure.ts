/**
 * Ends a QEMU and returns only when it is proven gone, however often that must be tried: whoever waits gives the VM's
 * lease back next, and another host may run the VM then.
 */
import type { QemuProcess } from "@godwit/hypervisor";
import { sleep, within } from "@godwit/system";
import type { Logger } from "pino";

const retryMs = 1000;

export async function endForSure(
  process: Pick<QemuProcess, "end" | "ended" | "spec">,
  log: Logger,
): Promise<void> {
  for (;;) {
    try {
      await process.end();
      return;
    } catch (error) {
      log.error({ err: error, vm: process.spec.vm.name }, "a QEMU could not be ended in full");
      // Where only its folder is left, nothing runs any more: the next start and the next agent clear that.
      if ((await within(process.ended, 0)) !== null) return;
    }
    await sleep(retryMs);
  }
}
