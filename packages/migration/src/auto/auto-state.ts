/** What a copy whose strategy is chosen while it runs keeps from one sample to the next. */
import type { Objective } from "@godwit/contract";
import { beginCourse, type Course } from "./passes.ts";

export interface AutoState {
  readonly objective: Objective;
  readonly beganAtMs: number;
  readonly course: Course;
  /** What the guest is denied of its time, 0 to 1. */
  readonly throttle: number;
  /** Until when a changed throttle is not judged: QEMU looks at it at every second pass, once a second at most. */
  readonly settlesAtMs: number;
  /** When what is left fitted the pause for the first time; null: it never did. */
  readonly fitsSinceMs: number | null;
}

export const beginAuto = (objective: Objective, atMs: number): AutoState => ({
  objective,
  beganAtMs: atMs,
  course: beginCourse,
  throttle: 0,
  settlesAtMs: atMs,
  fitsSinceMs: null,
});
