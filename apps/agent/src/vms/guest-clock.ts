/**
 * A guest's clock stands still with its vCPUs, so each pause leaves it that much behind. Where the guest has QEMU's
 * guest agent it is set right afterwards; what runs already is never kept waiting for that.
 */
import type { Logger } from "pino";
import { setGuestClock, type QemuProcess } from "@godwit/hypervisor";

const attempts = 3;
const limitMs = 5000;

/** Returns at once; a guest that does not answer is told in the log. */
export function correctGuestClock(process: QemuProcess, log: Logger): void {
  if (process.spec.vm.guestAgent !== true) return;
  void (async () => {
    let last: unknown;
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        await setGuestClock(process.paths.guestAgent, limitMs);
        return;
      } catch (error) {
        last = error;
      }
    }
    log.warn({ err: last, vm: process.spec.vm.name }, "the guest's clock could not be set after its pause");
  })();
}
