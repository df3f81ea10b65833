/** Lets a guest run, for sure: an answer of QEMU's that was lost is never taken for a refusal. */
import { GodwitError } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { within } from "@godwit/system";

const retryMs = 200;

/**
 * @returns null when the guest runs; else why QEMU refuses, and then it surely does not run
 * @throws QMP_INTERRUPTED when QEMU is gone
 */
export async function resumeForSure(process: QemuProcess): Promise<string | null> {
  for (;;) {
    try {
      await process.resume();
      return null;
    } catch (error) {
      if (GodwitError.is(error, "QMP_REFUSED")) {
        const running = await process.status().then(
          (status) => status.running,
          () => null,
        );
        if (running !== null) return running ? null : error.message;
      }
      if ((await within(process.ended, retryMs)) !== null) throw error;
    }
  }
}
