/** Who moves a guest of its own from the host where it is to the other, and how one of its moves is measured. */
import { moveUnderLoad } from "../measure/move-under-load.ts";
import { sleep } from "@godwit/system";
import { dirtyGuest, writtenBy } from "@godwit/lab";
import type { GuestLoad, Move } from "./cell.ts";

export interface Engine {
  name: string;
  /** Of its guest. */
  address: string;
  /** Moves it; what the engine itself counts of it. @throws where it gave up, with its words */
  move(): Promise<{ bytes: number | null; note?: string }>;
  /** Learns where the guest is now. */
  settled(): Promise<void>;
  /** Starts a guest that hangs again. */
  revive(): Promise<void>;
}

/** For the writer to come to its rate, and to be measured. */
const beforeMs = 3000;

export async function measureMove(labId: string, engine: Engine, guest: GuestLoad): Promise<Move> {
  const { address } = engine;
  const writes = guest.mib > 0;
  if (writes) await dirtyGuest(labId, address, guest);
  await sleep(beforeMs);
  const rate = new WriterRate(labId, address);
  if (writes) await rate.begin();
  if (writes) await sleep(beforeMs);
  const before = writes ? await rate.next() : null;
  const found: { bytes: number | null; note?: string; during: number | null } = { bytes: null, during: null };
  const seen = await moveUnderLoad({
    labId,
    address,
    move: async () => {
      if (writes) await rate.begin();
      Object.assign(found, await engine.move());
    },
    settled: async () => {
      await engine.settled();
      // The guest may hang; then there is nothing to ask.
      found.during = writes ? await rate.next().catch(() => null) : null;
    },
    revive: async () => {
      await engine.revive();
    },
  });
  if (writes && !seen.hung)
    await dirtyGuest(labId, address, { mib: 0, mibPerSecond: 0, compressiblePercent: 0 });
  const ended = seen.failure === null;
  return {
    ...{ ended, failure: seen.failure, hung: seen.hung, totalMs: seen.totalMs, outageMs: seen.outageMs },
    bytes: ended ? found.bytes : null,
    note: found.note ?? null,
    guestThroughputLost:
      before === null || found.during === null || before === 0
        ? null
        : Math.max(0, 1 - found.during / before),
    writerMibPerSecond: before,
  };
}

/** What the guest has written between two looks, by this machine's clock: the guest's own stands still with it. */
class WriterRate {
  readonly #labId: string;
  readonly #address: string;
  #last = { mib: 0, atMs: 0 };

  constructor(labId: string, address: string) {
    this.#labId = labId;
    this.#address = address;
  }

  async begin(): Promise<void> {
    this.#last = await this.#look();
  }

  /** MiB per second since the last look. */
  async next(): Promise<number> {
    const { mib, atMs } = this.#last;
    await this.begin();
    return ((this.#last.mib - mib) / (this.#last.atMs - atMs)) * 1000;
  }

  async #look(): Promise<{ mib: number; atMs: number }> {
    const mib = await writtenBy(this.#labId, this.#address);
    return { mib, atMs: performance.now() };
  }
}
