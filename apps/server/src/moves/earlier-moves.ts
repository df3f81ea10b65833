/**
 * What earlier moves between two hosts tell of the next one: how fast their link carried memory, and how long a move takes
 * beside the copy (preparing the destination, the lease, the clean-up). Pure.
 */
import { moveOf, type MovePhase, type MoveRecord, type Spread, type Task } from "@godwit/contract";
import { spreadOf } from "@godwit/migration/play";

export interface EarlierMoves {
  /** Bytes per second of the moves that had no ceiling of their own; null: too few are known. */
  linkBytesPerSecond: { spread: Spread; moves: number } | null;
  /** Beside the copy, in ms; null: too few moves are known. */
  besideMs: { spread: Spread; moves: number } | null;
}

const fewestMoves = 3;
/** The phases in which memory is on its way: what a forecast plays. */
const copyPhases: ReadonlySet<MovePhase> = new Set(["copying", "switching", "postcopy"]);

export function earlierMoves(tasks: readonly Task[], from: string, to: string): EarlierMoves {
  const moved = tasks.flatMap((task) => {
    const move = moveOf(task);
    if (task.kind !== "vm.migrate" || move?.from !== from || move.to !== to) return [];
    const hasCeiling = task.request.bandwidthBytesPerSecond !== null;
    return move.phase === "succeeded" ? [{ move, hasCeiling }] : [];
  });
  const paces = moved.flatMap(({ move, hasCeiling }) => {
    const ms = copyMs(move);
    return hasCeiling || ms <= 0 ? [] : [(move.bytes / ms) * 1000];
  });
  const beside = moved.flatMap(({ move }) =>
    move.totalMs === null ? [] : [Math.max(0, move.totalMs - playedMs(move))],
  );
  return { linkBytesPerSecond: known(paces), besideMs: known(beside) };
}

const known = (values: readonly number[]) =>
  values.length < fewestMoves ? null : { spread: spreadOf(values), moves: values.length };

/** From the copy's begin to the switch that succeeded; 0 where the record does not tell. */
function copyMs({ phases }: MoveRecord): number {
  const begin = phases.find(({ phase }) => phase === "copying");
  const end = phases.findLast(({ phase }) => phase === "switching");
  return begin === undefined || end === undefined ? 0 : Date.parse(end.at) - Date.parse(begin.at);
}

function playedMs({ phases }: MoveRecord): number {
  return phases
    .map(({ phase, at }, index) => {
      const next = phases[index + 1]?.at;
      return next === undefined || !copyPhases.has(phase) ? 0 : Date.parse(next) - Date.parse(at);
    })
    .reduce((sum, ms) => sum + ms, 0);
}
