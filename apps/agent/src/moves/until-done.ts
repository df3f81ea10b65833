/** What must be done before a move can go on, however often it has to be tried: storage may be away for a while. */
import { sleep } from "@godwit/system";
import type { Logger } from "pino";

const retryMs = 1000;

/** @param what is done, for the log: "to remove the VM's files" */
export async function untilDone(action: () => Promise<void>, what: string, log: Logger): Promise<void> {
  for (;;) {
    try {
      await action();
      return;
    } catch (error) {
      log.error({ err: error }, `a move waits ${what}`);
      await sleep(retryMs);
    }
  }
}
