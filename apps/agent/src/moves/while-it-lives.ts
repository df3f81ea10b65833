/** What is asked of a QEMU when an agent takes a move up again: that QEMU may end at this very moment. */
import { GodwitError } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { within } from "@godwit/system";

const retryMs = 500;

/**
 * @param ask asked with null where the process has ended, also while it was asked
 * @param tries how often it is asked
 * @throws QMP_INTERRUPTED when QEMU lives and gives no answer
 */
export async function whileItLives<P extends Pick<QemuProcess, "ended">, T>(
  process: P | null,
  ask: (process: P | null) => Promise<T>,
  tries = 20,
): Promise<{ process: P | null; answer: T }> {
  for (let tried = 1; process !== null; tried++) {
    try {
      return { process, answer: await ask(process) };
    } catch (error) {
      if (!GodwitError.is(error, "QMP_INTERRUPTED")) throw error;
      if ((await within(process.ended, retryMs)) !== null) break;
      if (tried >= tries) throw error;
    }
  }
  return { process: null, answer: await ask(null) };
}
