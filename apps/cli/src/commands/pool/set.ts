/** `godwit pool set` */
import type { Automation, PlanGoal } from "@godwit/contract";
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, wordsOf, type JsonFlags } from "../common.ts";

interface Flags extends JsonFlags {
  automation?: Automation;
  threshold?: "1" | "2" | "3" | "4" | "5";
  goal?: PlanGoal;
}

export const setCommand = buildCommand({
  docs: {
    brief: "Set how far a pool balances itself",
    fullDescription: `off: nothing is planned. manual: moves are recommended every minute. partial: and VMs start where the planner places them.
full: and the moves are made. What is not named stays as it is.

Examples:
  godwit pool set east --automation manual
  godwit pool set east --automation full --threshold 4 --goal even`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      automation: {
        kind: "enum",
        values: wordsOf<Automation>({ off: true, manual: true, partial: true, full: true }),
        brief: "What is done without being asked",
        optional: true,
      },
      threshold: {
        kind: "enum",
        values: ["1", "2", "3", "4", "5"],
        brief: "From 1, only what rules demand, to 5, every gain",
        optional: true,
      },
      goal: {
        kind: "enum",
        values: ["happy", "even"],
        brief: "happy: move only where somebody gains; even: use hosts alike",
        optional: true,
      },
    },
    positional: poolArgument,
  },
  async func(flags: Flags, pool: string) {
    const { automation, threshold, goal } = flags;
    if (automation === undefined && threshold === undefined && goal === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be set.",
        hint: "Name --automation, --threshold or --goal.",
      });
    const body = {
      ...(automation === undefined ? {} : { automation }),
      ...(threshold === undefined ? {} : { threshold: Number(threshold) }),
      ...(goal === undefined ? {} : { goal }),
    };
    const balance = await withApi((api) => api.call("poolBalanceSet", { params: { pool }, body }));
    if (flags.json) {
      writeJson(balance);
      return;
    }
    const { balanceText } = await import("../../output/balance-view.ts");
    writeLine(`Pool ${pool}: ${balanceText(balance)}.`);
  },
});
