/**
 * The moves of this server that wait for their turn. Kept in memory alone: a server that starts takes up all tasks that have
 * not ended, and each of them takes its place again.
 */
import { movesAtOnce, nextMoves, type QueuedMove, type Waiting } from "@godwit/migration";

interface Entry {
  move: QueuedMove;
  wait: (why: Waiting) => void;
  begin: () => void;
}

/** Of a move that is under way, until it is disposed. */
export interface Place extends Disposable {
  /** Resolves when its turn has come. */
  turn: Promise<void>;
}

export class MoveQueue {
  readonly #underWay = new Map<string, QueuedMove>();
  readonly #waiting = new Map<string, Entry>();
  /** Bits per second of each host's migration link, as its move that came last found it. */
  readonly #links = new Map<string, number | null>();
  #isDeciding = false;

  /**
   * @param links the speeds of the two hosts' migration links, bits per second; null: not known
   * @param wait is called whenever it turns out what the move waits for
   */
  enter(
    move: QueuedMove,
    links: { from: number | null; to: number | null },
    wait: (why: Waiting) => void,
  ): Place {
    this.#links.set(move.from, links.from).set(move.to, links.to);
    const { promise: turn, resolve: begin } = Promise.withResolvers<undefined>();
    this.#waiting.set(move.id, {
      move,
      wait,
      begin: () => {
        begin(undefined);
      },
    });
    this.#decideSoon();
    return {
      turn: turn.then(() => undefined),
      [Symbol.dispose]: () => {
        this.#leave(move.id);
      },
    };
  }

  /** A move that an earlier server began, or that is there whatever others do: it counts, and does not wait. */
  join(move: QueuedMove): Disposable {
    this.#underWay.set(move.id, move);
    return {
      [Symbol.dispose]: () => {
        this.#leave(move.id);
      },
    };
  }

  #leave(id: string): void {
    this.#underWay.delete(id);
    this.#waiting.delete(id);
    this.#decideSoon();
  }

  /** What enters or leaves at once is decided at once. */
  #decideSoon(): void {
    if (this.#isDeciding) return;
    this.#isDeciding = true;
    setImmediate(() => {
      this.#isDeciding = false;
      this.#decide();
    });
  }

  #decide(): void {
    const { begin, waiting } = nextMoves({
      underWay: [...this.#underWay.values()],
      waiting: [...this.#waiting.values()].map(({ move }) => move),
      limitOf: (host) => movesAtOnce(this.#links.get(host) ?? null),
    });
    for (const move of begin) {
      const entry = this.#waiting.get(move.id);
      this.#waiting.delete(move.id);
      this.#underWay.set(move.id, move);
      entry?.begin();
    }
    for (const why of waiting) this.#waiting.get(why.move.id)?.wait(why);
  }
}
