/**
 * Watches a move at its source: writes the source's records down, one at a time and the newest last, and tells when
 * the move is over. Nothing older is written after its last record.
 */
import type { MoveId, MoveRecord } from "@godwit/contract";
import type { Logger } from "pino";
import type { HostLink } from "../hosts/host-link.ts";

export interface MoveWatchOptions {
  moveId: MoveId;
  source: HostLink;
  write: (record: MoveRecord) => Promise<void>;
  /** Whether the move is to be cancelled, which the source may not know yet. */
  isCancelling: () => Promise<boolean>;
  /** Aborted when the server stops. */
  stopped: AbortSignal;
  log: Logger;
}

export class MoveWatch {
  readonly #options: MoveWatchOptions;
  readonly #end = Promise.withResolvers<MoveRecord>();
  #newest: MoveRecord | null = null;
  #writing: Promise<void> | null = null;
  #over = false;

  constructor(options: MoveWatchOptions) {
    this.#options = options;
    this.#end.promise.catch(() => undefined);
    const { stopped } = options;
    stopped.addEventListener("abort", () => {
      this.#end.reject(stopped.reason);
    });
  }

  /** The record of the move that is over. */
  async ended(): Promise<MoveRecord> {
    const record = await this.#end.promise;
    await this.#writing;
    return record;
  }

  /** Events and answers come by two ways: an older record may arrive after the last one. */
  take(record: MoveRecord): void {
    if (this.#over) return;
    if (isOver(record)) {
      this.#over = true;
      this.#newest = null;
      this.#end.resolve(record);
      return;
    }
    this.#newest = record;
    this.#writing ??= this.#writeNewest();
  }

  /** The source answers: asks for what happened meanwhile, and delivers a cancellation that it may not have got. */
  ask(): void {
    const { moveId, source, isCancelling, log } = this.#options;
    const params = { moveId };
    void (async () => {
      if (await isCancelling()) await source.agent.call("moveCancel", { params }).catch(() => undefined);
      this.take(await source.agent.call("moveShow", { params }));
    })().catch((error: unknown) => {
      log.info({ err: error }, "the move's record could not be read");
    });
  }

  async #writeNewest(): Promise<void> {
    const { write, log } = this.#options;
    while (this.#newest !== null) {
      const record = this.#newest;
      this.#newest = null;
      await write(record).catch((error: unknown) => {
        log.warn({ err: error }, "progress not written");
      });
    }
    this.#writing = null;
  }
}

const isOver = ({ phase }: MoveRecord): boolean =>
  phase === "succeeded" || phase === "failed" || phase === "cancelled";
