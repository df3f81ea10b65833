/** Flags of the commands that plan. */
import type { PlanGoal, PlanRequest } from "@godwit/contract";

export interface PlanFlags {
  goal: PlanGoal;
  threshold: "1" | "2" | "3" | "4" | "5";
  without?: string[];
  add?: string[];
  evc?: string;
}

export const planFlags = {
  goal: {
    kind: "enum",
    values: ["happy", "even"],
    brief: "happy: move only where somebody gains; even: use hosts alike",
    default: "happy",
  },
  threshold: {
    kind: "enum",
    values: ["1", "2", "3", "4", "5"],
    brief: "From 1, only what maintenance demands, to 5, every gain",
    default: "3",
  },
  without: {
    kind: "parsed",
    parse: String,
    brief: "As if this host were to be emptied; may be repeated",
    optional: true,
    variadic: true,
    placeholder: "host",
  },
  add: {
    kind: "parsed",
    parse: String,
    brief: "As if the pool had one more host like this, or this one where it is in no pool; may be repeated",
    optional: true,
    variadic: true,
    placeholder: "host",
  },
  evc: {
    kind: "parsed",
    parse: String,
    brief: "As if the pool had this EVC mode and its VMs had been powered on with it",
    optional: true,
    placeholder: "mode",
  },
} as const;

export const planRequest = ({ goal, threshold, without, add, evc }: PlanFlags): PlanRequest => ({
  goal,
  threshold: Number(threshold),
  without: without ?? [],
  add: add ?? [],
  ...(evc === undefined ? {} : { evcMode: evc }),
});
