/**
 * Which moves may begin: a host takes part in so many at once as its link bears, and the others wait their turn. More at once
 * would not end sooner: each would copy more slowly, and the guest would change more of its memory meanwhile. Pure.
 */

export interface QueuedMove {
  id: string;
  from: string;
  to: string;
  /** ms since 1970. */
  enteredAt: number;
  /** Until when it should have ended, ms since 1970; null: whenever its turn comes. */
  deadlineAt: number | null;
}

export interface Queue {
  underWay: readonly Pick<QueuedMove, "id" | "from" | "to">[];
  waiting: readonly QueuedMove[];
  /** How many moves from and to a host may be under way at once. */
  limitOf: (host: string) => number;
}

export interface Waiting {
  move: QueuedMove;
  /** The host that takes part in as many as it may. */
  host: string;
  limit: number;
  /** How many of those that wait begin before it. */
  ahead: number;
  /** The one of that host's moves which began first. */
  behind: string;
}

export interface Turn {
  begin: QueuedMove[];
  waiting: Waiting[];
}

const gigabit = 1e9;
/** Interfaces and shapers tell a little less than what they are called by. */
const nearly = 0.9;

/**
 * How many moves a host takes part in at once: as vSphere limits them, 4 with a link of 1 Gbit/s and 8 from 10 Gbit/s on. A
 * slower link bears one. Unknown counts as 1 Gbit/s, which is required.
 */
export function movesAtOnce(bitsPerSecond: number | null): number {
  if (bitsPerSecond === null) return 4;
  if (bitsPerSecond < gigabit * nearly) return 1;
  return bitsPerSecond < 10 * gigabit * nearly ? 4 : 8;
}

/**
 * Those that must end soonest come first, then those that came first. A move whose hosts have room does not wait for one
 * before it whose hosts have none; but no other takes the place that the first of those that wait still lacks.
 */
export function nextMoves({ underWay, waiting, limitOf }: Queue): Turn {
  const busy = new Map<string, string[]>();
  const take = ({ id, from, to }: Pick<QueuedMove, "id" | "from" | "to">) => {
    for (const host of [from, to]) busy.set(host, [...(busy.get(host) ?? []), id]);
  };
  for (const move of underWay) take(move);
  const fullHost = ({ from, to }: QueuedMove) =>
    [from, to].find((host) => (busy.get(host)?.length ?? 0) >= Math.max(1, limitOf(host)));
  const turn: Turn = { begin: [], waiting: [] };
  for (const move of [...waiting].sort(inOrder)) {
    const host = fullHost(move);
    if (host === undefined) {
      turn.begin.push(move);
      take(move);
      continue;
    }
    const ahead = turn.waiting.length;
    const [behind = move.id] = busy.get(host) ?? [];
    turn.waiting.push({ move, host, limit: Math.max(1, limitOf(host)), ahead, behind });
    if (ahead === 0) take(move);
  }
  return turn;
}

const inOrder = (one: QueuedMove, other: QueuedMove): number =>
  (one.deadlineAt ?? Infinity) - (other.deadlineAt ?? Infinity) ||
  one.enteredAt - other.enteredAt ||
  (one.id < other.id ? -1 : 1);
