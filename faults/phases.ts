/** The phases of a move that a fault can be put into: the agent's pause points, in the order in which a move comes to them. */
import { pausePoints, type PausePointName } from "@godwit/agent";

export type Phase = PausePointName;

export const phases = Object.keys(pausePoints) as readonly Phase[];

/** Which half of the move comes to the point, and is held there. */
export const holderOf = (phase: Phase): "source" | "destination" => pausePoints[phase].role;

/** The phases from the first to the last named. */
export function between(first: Phase, last: Phase): readonly Phase[] {
  return phases.slice(phases.indexOf(first), phases.indexOf(last) + 1);
}
