/**
 * What each move may use of the links where hosts have a ceiling for their moves together. In this order: every move keeps a
 * part of its even share, so that none stands still; those with a deadline get what they need to keep it, the soonest first; what
 * is left is divided evenly, until each has its own ceiling or one of its hosts has nothing more to give. Pure.
 */

export interface SharingMove {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** Its own ceiling, bytes per second; null: none. */
  readonly ceiling: number | null;
  /** What it needs to keep its deadline, bytes per second, and when that is; null: it has none. */
  readonly deadline: { readonly atMs: number; readonly needed: number } | null;
}

/** Of its even share of a host's ceiling each move keeps this much, whatever others need. */
const keptShare = 0.25;
/** Less than this of a ceiling is nothing. */
const negligible = 1e-6;
/** Stands for no ceiling: more than a thousand times any link. */
const unbounded = 2 ** 60;

/** @param ceilingOf of all moves of a host together; null: none. @returns bytes per second of each move; null: no limit */
export function shareBandwidth(
  moves: readonly SharingMove[],
  ceilingOf: (host: string) => number | null,
): Map<string, number | null> {
  const hosts = new Map<string, { left: number; ceiling: number; moves: number }>();
  for (const { from, to } of moves)
    for (const host of new Set([from, to])) {
      const ceiling = ceilingOf(host) ?? unbounded;
      const known = hosts.get(host) ?? { left: ceiling, ceiling, moves: 0 };
      hosts.set(host, { ...known, moves: known.moves + 1 });
    }
  const ofMove = ({ from, to }: SharingMove) =>
    [...new Set([from, to])].flatMap((host) => hosts.get(host) ?? []);
  const given = new Map(moves.map(({ id }) => [id, 0]));
  const give = (move: SharingMove, wanted: number) => {
    const has = given.get(move.id) ?? 0;
    const room = Math.min((move.ceiling ?? unbounded) - has, ...ofMove(move).map(({ left }) => left));
    const more = Math.max(0, Math.min(wanted, room));
    given.set(move.id, has + more);
    for (const host of ofMove(move)) host.left -= more;
  };
  for (const move of moves)
    give(move, Math.min(...ofMove(move).map(({ ceiling, moves: all }) => (ceiling * keptShare) / all)));
  const urgent = moves.flatMap((move) => (move.deadline === null ? [] : [{ move, ...move.deadline }]));
  for (const { move, needed } of urgent.sort((a, b) => a.atMs - b.atMs || (a.move.id < b.move.id ? -1 : 1)))
    give(move, needed - (given.get(move.id) ?? 0));
  divideEvenly(moves, given, ofMove);
  return new Map(
    moves.map((move) => {
      const rate = given.get(move.id) ?? 0;
      return [move.id, rate > unbounded / 2 ** 10 ? move.ceiling : rate];
    }),
  );
}

/** All that can still get something get the same more, until one of them is full; then the rest. */
function divideEvenly(
  moves: readonly SharingMove[],
  given: Map<string, number>,
  ofMove: (move: SharingMove) => { left: number; ceiling: number }[],
): void {
  let open = [...moves];
  while (open.length > 0) {
    open = open.filter(
      (move) =>
        (move.ceiling ?? unbounded) - (given.get(move.id) ?? 0) > negligible * (move.ceiling ?? unbounded) &&
        ofMove(move).every(({ left, ceiling }) => left > negligible * ceiling),
    );
    const users = new Map<{ left: number }, number>();
    for (const move of open) for (const host of ofMove(move)) users.set(host, (users.get(host) ?? 0) + 1);
    const step = Math.min(
      ...open.map(({ id, ceiling }) => (ceiling ?? unbounded) - (given.get(id) ?? 0)),
      ...[...users].map(([host, count]) => host.left / count),
    );
    if (open.length === 0) return;
    for (const move of open) given.set(move.id, (given.get(move.id) ?? 0) + step);
    for (const [host, count] of users) host.left -= step * count;
  }
}
