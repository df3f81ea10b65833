/**
 * What the moves of this server may use of the links: where a host has a ceiling for its moves together, each has a share of it,
 * which changes when a move begins or ends, when a ceiling is changed, and as deadlines come nearer. Kept in memory: a server
 * that starts takes up all moves, and each enters again.
 */
import { shareBandwidth } from "@godwit/migration";

interface Entry {
  readonly from: string;
  readonly to: string;
  ceiling: number | null;
  readonly deadlineAtMs: number | null;
  remainingBytes: number;
  /** What its source was told last; `unsure`: an earlier server told it; `nothing`: it has not begun. */
  told: number | null | "unsure" | "nothing";
  readonly tell: (bytesPerSecond: number | null) => Promise<void>;
  /** `overtaken`: it has been given another limit meanwhile, and which of both came last is not known. */
  telling: "no" | "yes" | "overtaken";
}

/** As a deadline comes nearer shares change slowly; a source that did not answer is told again then. */
const everyMs = 2000;
/** A share that differs less is the same. */
const telling = 0.05;
/** A copy sends what the guest changes meanwhile too. */
const needFactor = 1.3;

export class MoveBandwidth {
  readonly #moves = new Map<string, Entry>();
  readonly #ceilings = new Map<string, number>();
  readonly #nowMs: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs = () => Date.now()) {
    this.#nowMs = nowMs;
  }

  /** Of all moves of a host together. @param bytesPerSecond null: none any more */
  setHost(host: string, bytesPerSecond: number | null): void {
    if (bytesPerSecond === null) this.#ceilings.delete(host);
    else this.#ceilings.set(host, bytesPerSecond);
    this.#divide();
  }

  /**
   * A move that is under way, until it is disposed.
   * @param tell gives its source another limit; what it throws is tried again
   */
  enter(id: string, move: Pick<Entry, "from" | "to" | "ceiling" | "deadlineAtMs" | "tell">): Disposable {
    this.#moves.set(id, { ...move, remainingBytes: 0, told: "nothing", telling: "no" });
    return {
      [Symbol.dispose]: () => {
        this.#moves.delete(id);
        this.#divide();
      },
    };
  }

  /** What it may use now; null: no limit. */
  shareOf(id: string): number | null {
    return this.#shares().get(id) ?? null;
  }

  /** Its source has been told so: at its begin, or because somebody asked for it. @param bytesPerSecond `unsure`: it may have been */
  told(id: string, bytesPerSecond: number | null | "unsure"): void {
    const move = this.#moves.get(id);
    if (move === undefined) return;
    move.told = bytesPerSecond;
    if (move.telling === "yes") move.telling = "overtaken";
    this.#divide();
  }

  /** Its own ceiling is another one. @returns what it may use then */
  setOwn(id: string, ceiling: number | null): number | null {
    const move = this.#moves.get(id);
    if (move !== undefined) move.ceiling = ceiling;
    return move === undefined ? ceiling : this.shareOf(id);
  }

  remaining(id: string, bytes: number): void {
    const move = this.#moves.get(id);
    if (move !== undefined) move.remainingBytes = bytes;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#moves.clear();
  }

  #shares(): Map<string, number | null> {
    const nowMs = this.#nowMs();
    const moves = [...this.#moves].map(([id, { from, to, ceiling, deadlineAtMs, remainingBytes }]) => ({
      ...{ id, from, to, ceiling },
      deadline:
        deadlineAtMs === null || remainingBytes === 0
          ? null
          : {
              atMs: deadlineAtMs,
              needed: (needFactor * remainingBytes * 1000) / Math.max(1000, deadlineAtMs - nowMs),
            },
    }));
    return shareBandwidth(moves, (host) => this.#ceilings.get(host) ?? null);
  }

  #divide(): void {
    clearTimeout(this.#timer);
    let isSettled = this.#ceilings.size === 0;
    for (const [id, share] of this.#shares()) {
      const move = this.#moves.get(id);
      if (move === undefined || move.told === "nothing") continue;
      if (move.telling === "no" && isSame(move.told, share)) continue;
      isSettled = false;
      if (move.telling !== "no") continue;
      move.telling = "yes";
      void tell(move, share);
    }
    if (!isSettled && this.#moves.size > 0)
      this.#timer = setTimeout(() => {
        this.#divide();
      }, everyMs).unref();
  }
}

/** What is not answered is tried again later. */
async function tell(move: Entry, share: number | null): Promise<void> {
  const isTold = await move.tell(share).then(
    () => true,
    () => false,
  );
  if (move.telling === "overtaken") move.told = "unsure";
  else if (isTold) move.told = share;
  move.telling = "no";
}

const isSame = (one: number | null | "unsure", other: number | null): boolean =>
  one === "unsure"
    ? false
    : one === null || other === null
      ? one === other
      : Math.abs(one - other) <= telling * other;
