/**
 * The copy into a VM's QEMU: follows how far it has come, and makes the stream of a post-copy again. QEMU's own words for
 * a migration are read here and become inputs of the move, as in `source-copy.ts` for the other end.
 */
import { GodwitError } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import type { DestinationInput, ObservedDestination } from "@godwit/migration";
import { sleep, within } from "@godwit/system";
import type { AgentConfig } from "../config.ts";
import { CopyCpu } from "./copy-cpu.ts";

const halfEveryMs = 2;
const breakLimitMs = 3000;
const waitLimitMs = 1000;

type MigrationSettings = NonNullable<AgentConfig["migration"]>;

interface Listening {
  address: string;
  port: number;
}

export class DestinationCopy implements Disposable {
  readonly process: QemuProcess;
  readonly cpu: CopyCpu;
  readonly #onInput: (input: DestinationInput) => void;
  readonly #events: Disposable;
  #resumedAtMs: number | null = null;
  /** QEMU's word for the copy, as last heard. */
  #status: string;
  /** Where QEMU listens for the rest of a post-copy. */
  #rest: Listening | null = null;
  #recovering = false;
  #looking = false;
  #awaiting = false;

  /** @param status of the copy now, in QEMU's words */
  constructor(process: QemuProcess, status: string, onInput: (input: DestinationInput) => void) {
    this.process = process;
    this.cpu = new CopyCpu(process.identity.pid, true);
    this.#status = status;
    this.#onInput = onInput;
    this.#events = this.#follow();
  }

  /** QEMU's RESUME, in ms of the wall clock, which it stamps its events with; null until the guest runs. */
  get resumedAtMs(): number | null {
    return this.#resumedAtMs;
  }

  /**
   * Waits until QEMU has loaded what the guest needs to run. It tells when post-copy begins to arrive; only when it no
   * longer counts as incoming can the guest be let run.
   */
  async awaitHalf(): Promise<void> {
    if (this.#awaiting) return;
    this.#awaiting = true;
    while (this.#isAwaiting()) {
      const status = await this.process.status().catch(() => null);
      if (status !== null && status.status !== "inmigrate") {
        this.#awaiting = false;
        this.#onInput({ type: "loaded", memoryComplete: false });
        return;
      }
      await sleep(halfEveryMs);
    }
  }

  /** Changed by events while it is waited. */
  #isAwaiting(): boolean {
    return this.#awaiting;
  }

  /**
   * Has QEMU listen again for the rest of a post-copy. The source asks again when this does not come to its end.
   * @param mayRun whether enough had arrived to let the guest run
   * @returns the input that its outcome is; null where an attempt is under way, or QEMU did not lose its stream yet
   */
  async recover({ address, ports }: MigrationSettings, mayRun: boolean): Promise<DestinationInput | null> {
    if (this.#recovering) return null;
    this.#recovering = true;
    try {
      if (!this.#status.startsWith("postcopy-") && !mayRun)
        return { type: "loadFailed", reason: "the stream broke before the guest could run here" };
      // A refusal means that it is broken already, and that a late answer had told otherwise.
      const isTold = this.#status === "postcopy-active" && (await this.#breaksNow());
      for (let waitedMs = 0; isTold && this.#status === "postcopy-active"; waitedMs += halfEveryMs) {
        if (waitedMs > breakLimitMs) return null;
        await sleep(halfEveryMs);
      }
      this.#rest ??= { address, port: await this.process.migration.listenForRest(address, ports) };
      return { type: "recovering", ...this.#rest };
    } finally {
      this.#recovering = false;
    }
  }

  /** Makes up for an event that was missed over a new QMP session. */
  async lookAgain(isKnownBroken: boolean): Promise<DestinationInput | null> {
    if (this.#looking) return null;
    this.#looking = true;
    try {
      const { status, waitedForMemory: waited } = await this.process.migration.query();
      this.#status = status;
      if (status === "completed") return { type: "memoryComplete", waited };
      return status === "postcopy-paused" && !isKnownBroken ? { type: "streamBroken" } : null;
    } finally {
      this.#looking = false;
    }
  }

  [Symbol.dispose](): void {
    this.#awaiting = false;
    this.#events[Symbol.dispose]();
  }

  #follow(): Disposable {
    void this.process.ended.then(({ reason }) => {
      this.#awaiting = false;
      this.#onInput({ type: "qemuGone", reason });
    });
    return this.process.onEvent((event) => {
      if (event.name === "RESUME") this.#resumedAtMs = event.timestampUs / 1000;
      if (event.name !== "MIGRATION") return;
      const before = this.#status;
      this.#status = String(event.data.status);
      this.#hear(this.#status, before);
    });
  }

  /** QEMU's words for a migration at its destination; those that are not named change nothing. */
  #hear(status: string, before: string): void {
    switch (status) {
      case "completed":
        this.#awaiting = false;
        this.#onInput({ type: "loaded", memoryComplete: true });
        if (before.startsWith("postcopy-")) void this.#tellWait();
        else this.#onInput({ type: "memoryComplete", waited: null });
        return;
      case "postcopy-active":
        if (before === "active") void this.awaitHalf();
        else this.#onInput({ type: "streamResumed" });
        return;
      case "postcopy-recover":
        this.#rest = null; // a listener takes one connection only
        return;
      case "postcopy-paused":
        this.#rest = null;
        this.#onInput({ type: "streamBroken" });
        return;
      case "failed":
        this.#awaiting = false;
        this.#onInput({ type: "loadFailed", reason: "QEMU could not load the VM's state" });
    }
  }

  /** The end of a post-copy. What is not counted is not waited for. */
  async #tellWait(): Promise<void> {
    const query = this.process.migration.query().then(
      ({ waitedForMemory }) => waitedForMemory,
      () => null,
    );
    this.#onInput({ type: "memoryComplete", waited: await within(query, waitLimitMs) });
  }

  /** Whether QEMU breaks its stream now, of which an event tells. */
  async #breaksNow(): Promise<boolean> {
    try {
      await this.process.migration.breakStream();
      return true;
    } catch (error) {
      if (GodwitError.is(error, "QMP_REFUSED")) return false;
      throw error;
    }
  }
}

/** What QEMU tells an agent that is started again during a move; where it is gone, nothing. */
export async function observeDestination(
  process: QemuProcess | null,
): Promise<{ observed: ObservedDestination; status: string }> {
  const status = process === null ? null : await process.guestState();
  const migration = process === null ? null : await process.migration.query();
  const isPostcopy = migration?.status.startsWith("postcopy-") === true;
  return {
    status: migration?.status ?? "none",
    observed: {
      qemuAlive: process !== null,
      guestRuns: status?.runs === true,
      loaded: migration?.status === "completed" || (isPostcopy && status?.status !== "inmigrate"),
      memoryComplete: migration?.status === "completed",
      streamBroken: isPostcopy && migration.status !== "postcopy-active",
      failed: migration?.status === "failed",
      listening: null,
    },
  };
}
