/**
 * The disks that move with a VM, at its source: starts their mirrors, follows them, ends them. What becomes of them is told as
 * inputs of the move.
 */
import { GodwitError, type MovedDisks, type MoveOrder, type Problem } from "@godwit/contract";
import { DiskCarrier, type CarriedDisks, type DisksPlace, type QemuProcess } from "@godwit/hypervisor";
import type { SourceInput } from "@godwit/migration";
import { copyProgress, type CopySample } from "@godwit/storage";
import { Wakeup } from "@godwit/system";
import { reasonOf } from "../reason.ts";

/** QEMU tells when a mirror goes on to another state; how far it is has to be asked. */
const lookEveryMs = 1000;
/** While the guest stands still; an event comes before, unless it was missed. */
const lookWhileEndingMs = 50;
/** The rate is of so many looks. */
const looks = 5;

export interface SourceDisksListener {
  onInput: (input: SourceInput) => void;
  onCopy: (progress: Omit<MovedDisks, "at">) => void;
}

export class SourceDisks implements Disposable {
  readonly #order: MoveOrder;
  readonly #carrier: DiskCarrier;
  readonly #listener: SourceDisksListener;
  readonly #events: Disposable;
  readonly #told = new Wakeup();
  readonly #samples: CopySample[] = [];
  /** They are left to themselves until they are ended, or cancelled. */
  #follows = false;

  constructor(order: MoveOrder, process: QemuProcess, listener: SourceDisksListener) {
    this.#order = order;
    this.#carrier = new DiskCarrier(process);
    this.#listener = listener;
    this.#events = process.onEvent(({ name }) => {
      if (name === "JOB_STATUS_CHANGE") this.#told.wake();
    });
  }

  /** Begins to mirror; what becomes of it is told. @throws any error of QMP */
  async copy(place: DisksPlace): Promise<null> {
    this.#follows = true;
    await this.#carrier.start(place, this.#order.bandwidthBytesPerSecond);
    void this.#follow();
    return null;
  }

  /** The guest stands still, and all has been mirrored. @throws any error of QMP; Error with why a mirror failed */
  async end(): Promise<SourceInput> {
    this.#follows = false;
    await this.#carrier.end();
    while (!(await this.#carrier.haveEnded())) await this.#told.next(lookWhileEndingMs);
    await this.#carrier.tidy();
    return { type: "disksEnded", atMs: performance.now() };
  }

  /** Nothing of them is left when it returns. @throws QMP_INTERRUPTED */
  async cancel(): Promise<void> {
    this.#follows = false;
    for (;;) {
      await this.#carrier.cancel();
      if (await this.#carrier.tidy()) return;
      await this.#told.next(lookWhileEndingMs);
    }
  }

  failed({ detail }: Problem): SourceInput {
    return { type: "disksFailed", problem: this.#problem(detail) };
  }

  [Symbol.dispose](): void {
    this.#follows = false;
    this.#told.wake();
    this.#events[Symbol.dispose]();
  }

  async #follow(): Promise<void> {
    for (let isReady = false; this.#follows;) {
      const found = await this.#carrier.look().catch(() => null); // a QEMU that is gone is told by itself
      if (!this.#isFollowed()) return;
      if (found !== null) this.#tell(found);
      if (found?.status === "over" || found?.status === "none") {
        const reason = found.error ?? "QEMU does not mirror them any more";
        this.#listener.onInput({ type: "disksFailed", problem: this.#problem(reason) });
        return;
      }
      if (found?.status === "ready" && !isReady) {
        isReady = true;
        this.#listener.onInput({ type: "disksReady", atMs: performance.now() });
      }
      await this.#told.next(lookEveryMs);
    }
  }

  /** Changed while it is waited. */
  #isFollowed(): boolean {
    return this.#follows;
  }

  #tell({ copiedBytes, totalBytes, status }: CarriedDisks): void {
    this.#samples.push({ atMs: performance.now(), copiedBytes });
    if (this.#samples.length > looks + 1) this.#samples.shift();
    const { bytesPerSecond, etaMs } = copyProgress("", totalBytes, this.#samples);
    this.#listener.onCopy({ copiedBytes, totalBytes, bytesPerSecond, etaMs: status === "ready" ? 0 : etaMs });
  }

  #problem(reason: string): Problem {
    const { vm, to, storage } = this.#order;
    const details = { vm: vm.name, host: to.host, datastore: storage?.datastore ?? "" };
    return GodwitError.of("MOVE_DISKS_FAILED", { ...details, reason: reasonOf(new Error(reason)) }).problem;
  }
}
