/** Who moves a guest of its own from the host where it is to the other, and how one of its moves is measured. */
import { moveUnderLoad } from "../measure/move-under-load.ts";
import { sleep } from "@godwit/system";
import type { Move } from "./cell.ts";
import type { GuestLoad, Running } from "./loads/load.ts";

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

/** For the guest to come to its pace, and to be measured. */
const beforeMs = 3000;

export async function measureMove(labId: string, engine: Engine, { work }: GuestLoad): Promise<Move> {
  const { address } = engine;
  const running = work === null ? null : await work.begin({ labId, address });
  await sleep(beforeMs);
  const pace = running === null ? null : new Pace(running);
  await pace?.begin();
  if (pace !== null) await sleep(beforeMs);
  const before = (await pace?.next()) ?? null;
  const found: { bytes: number | null; note?: string; during: number | null } = { bytes: null, during: null };
  const seen = await moveUnderLoad({
    labId,
    address,
    move: async () => {
      await pace?.begin();
      Object.assign(found, await engine.move());
    },
    settled: async () => {
      await engine.settled();
      // The guest may hang; then there is nothing to ask.
      found.during = (await pace?.next().catch(() => null)) ?? null;
    },
    revive: async () => {
      await engine.revive();
    },
  });
  // One that was started again does nothing any more.
  await running?.end().catch(() => undefined);
  const ended = seen.failure === null;
  return {
    ...{ ended, failure: seen.failure, hung: seen.hung, totalMs: seen.totalMs, outageMs: seen.outageMs },
    bytes: ended ? found.bytes : null,
    note: found.note ?? null,
    guestThroughputLost:
      before === null || found.during === null || before === 0
        ? null
        : Math.max(0, 1 - found.during / before),
    work: work === null || before === null ? null : { unit: work.unit, perSecond: before },
  };
}

/** What the guest has done between two looks, by this machine's clock: the guest's own stands still with it. */
class Pace {
  readonly #running: Running;
  #last = { done: 0, atMs: 0 };

  constructor(running: Running) {
    this.#running = running;
  }

  async begin(): Promise<void> {
    this.#last = { done: await this.#running.done(), atMs: performance.now() };
  }

  /** Per second since the last look. */
  async next(): Promise<number> {
    const { done, atMs } = this.#last;
    await this.begin();
    return ((this.#last.done - done) / (this.#last.atMs - atMs)) * 1000;
  }
}
