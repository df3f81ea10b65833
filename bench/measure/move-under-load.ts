/**
 * One move under a client's load of its own: what the client saw of it, and whether the guest lives on. A
 * guest that hangs is started again, and the client reads back then what was acknowledged before.
 */
import { Load, type LoadReport } from "@godwit/lab";
import { sleep, within } from "@godwit/system";

/** Alone with the guest, before a move and after it. */
const quietMs = 1000;
/** A guest that answers nothing for so long after a move hangs. */
const hangLimitMs = 20_000;
/** A client whose guest was started again sends again after pauses that double; then it reads everything back. */
const rereadLimitMs = 120_000;

export interface Seen {
  /** The mover's own words where it gave up; the figures of such a move are null. */
  failure: string | null;
  totalMs: number | null;
  /** The longest time without an answer to the 1 ms probe; null when the guest did not live on. */
  outageMs: number | null;
  /** The same between two acknowledged writes. */
  writeGapMs: number | null;
  hung: boolean;
  /** Null when the guest could not be asked even after it was started again. */
  client: Pick<LoadReport, "acknowledged" | "lost" | "duplicated" | "reconnects"> | null;
}

export interface MoveUnderLoad {
  labId: string;
  /** Of the guest. */
  address: string;
  move: () => Promise<void>;
  /** After the move, outside of its time. */
  settled: () => Promise<void>;
  /** Starts a guest that hangs again. */
  revive: () => Promise<void>;
}

/** @throws PROGRAM_FAILED when the guest does not answer before the move */
export async function moveUnderLoad(one: MoveUnderLoad): Promise<Seen> {
  await using load = await Load.start(one.labId, one.address);
  await sleep(quietMs);
  const began = Date.now();
  const startedAt = performance.now();
  const failure = await one.move().then(
    () => null,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const totalMs = failure === null ? performance.now() - startedAt : null;
  const ended = Date.now() + 100;
  await one.settled();
  await sleep(quietMs);
  const finishing = load.finish([[began, ended]]);
  const report = await within(finishing, hangLimitMs);
  if (report === null) {
    await one.revive();
    const client = await within(finishing, rereadLimitMs);
    return { failure, totalMs, outageMs: null, writeGapMs: null, hung: true, client };
  }
  const { outageMs = null, writeGapMs = null } = (failure === null ? report.windows[0] : undefined) ?? {};
  return { failure, totalMs, outageMs, writeGapMs, hung: false, client: report };
}

/** Waits until a guest that boots answers its first client. */
export async function guestAnswers(labId: string, address: string): Promise<void> {
  await using _load = await Load.start(labId, address);
}
