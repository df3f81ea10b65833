/**
 * Looks at a running copy: at its begin and at each beginning of a pass (QEMU's events), when all that is dirty is known,
 * and now and then in between, for those who wait. Measures the rate itself; where that falls, also whether it is the
 * network that holds the stream up.
 */
import type { QemuProcess } from "@godwit/hypervisor";
import type { CopySample } from "@godwit/migration";
import { StreamWatch } from "./stream-watch.ts";

const progressEveryMs = 250;
/** A rate over less than this says little. */
const rateWindowMs = 100;

export class CopyWatch {
  readonly #process: QemuProcess;
  readonly #onSample: (sample: CopySample) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #events: Disposable;
  readonly #stream: StreamWatch;
  #looking = false;
  #last: { atMs: number; transferredBytes: number } | null = null;
  #bytesPerSecond = 0;
  #ended = false;

  /** @param networkBusyMs for how long the network has held the stream up so far; null: nobody can tell */
  constructor(
    process: QemuProcess,
    onSample: (sample: CopySample) => void,
    networkBusyMs: () => Promise<number | null>,
  ) {
    this.#process = process;
    this.#onSample = onSample;
    this.#stream = new StreamWatch(networkBusyMs);
    this.#events = process.onEvent((event) => {
      if (event.name === "MIGRATION_PASS") void this.#look(true);
      else if (event.name === "MIGRATION" && event.data.status === "active") void this.#look(false);
    });
    this.#timer = setInterval(() => {
      void this.#look(false);
    }, progressEveryMs);
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#events[Symbol.dispose]();
  }

  private get hasEnded(): boolean {
    return this.#ended;
  }

  async #look(passBegins: boolean): Promise<void> {
    if (this.#ended || (this.#looking && !passBegins)) return;
    this.#looking = true;
    try {
      const status = await this.#process.migration.query();
      const atMs = performance.now();
      this.#measure(atMs, status.transferredBytes);
      // Not before a pass is told of, whose moment counts.
      if (!passBegins) await this.#stream.look(atMs, this.#bytesPerSecond);
      const isRunning = status.status === "active" || status.status === "postcopy-active";
      if (!isRunning || this.hasEnded) return;
      this.#onSample({
        atMs,
        round: status.rounds,
        remainingBytes: status.remainingBytes,
        transferredBytes: status.transferredBytes,
        totalBytes: status.totalBytes,
        bytesPerSecond: this.#bytesPerSecond,
        dirtyBytesPerSecond: status.dirtyBytesPerSecond,
        passBegins,
        ...this.#stream.at(atMs),
      });
    } catch {
      // QEMU is gone or busy: its end is told elsewhere, and the next look is near.
    } finally {
      this.#looking = false;
    }
  }

  #measure(atMs: number, transferredBytes: number): void {
    if (this.#last === null) {
      this.#last = { atMs, transferredBytes };
      return;
    }
    const elapsedMs = atMs - this.#last.atMs;
    if (elapsedMs < rateWindowMs) return;
    const rate = ((transferredBytes - this.#last.transferredBytes) / elapsedMs) * 1000;
    // A back-out or an idle moment is no sign of a slow link.
    if (rate > 0) this.#bytesPerSecond = rate;
    this.#last = { atMs, transferredBytes };
  }
}
