/** Keeps what hosts report of their load, in windows. One that cannot be written is lost. */
import type { HostLoad } from "@godwit/contract";
import { LoadWindows, resolutions, type HostSample } from "@godwit/placement";
import type { Store } from "@godwit/store";
import type { Logger } from "pino";

const keptOf = (name: HostSample["resolution"]): number =>
  resolutions.find((one) => one.name === name)?.kept ?? 0;
const kept = { fine: keptOf("fine"), coarse: keptOf("coarse") };

export class LoadHistory {
  readonly #store: Pick<Store, "loads">;
  readonly #log: Logger;
  readonly #windows = new LoadWindows();

  constructor(store: Pick<Store, "loads">, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** @param owns whether a VM is the host's, as far as is known: of others a host is not believed */
  async take(
    reports: readonly { host: string; load: HostLoad }[],
    owns: (host: string, vmId: string) => boolean,
  ): Promise<void> {
    const nowMs = Date.now();
    const done = reports.flatMap(({ host, load }) =>
      this.#windows.add(host, load, nowMs, (vmId) => owns(host, vmId)),
    );
    try {
      await this.#store.loads.write(done, kept);
    } catch (error) {
      this.#log.warn({ err: error }, "the hosts' load could not be kept");
    }
  }

  forget(host: string): void {
    this.#windows.forget(host);
  }
}
