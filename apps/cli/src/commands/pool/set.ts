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
  restart?: "on" | "off";
}

export const setCommand = buildCommand({
  docs: {
    brief: "Set how far a pool balances itself, and whether it restarts VMs",
    fullDescription: `off: nothing is planned. manual: moves are recommended every minute. partial: and VMs start where the planner places them.
full: and the moves are made. --restart on: VMs of a host that died, and VMs whose process died, are started again on a
host that has room, once their leases prove that they do not run. What is not named stays as it is.

Examples:
  godwit pool set east --automation manual
  godwit pool set east --automation full --threshold 4 --goal even
  godwit pool set east --restart on`,
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
      restart: {
        kind: "enum",
        values: ["on", "off"],
        brief: "Whether VMs that died are started again",
        optional: true,
      },
    },
    positional: poolArgument,
  },
  async func(flags: Flags, pool: string) {
    const { automation, threshold, goal, restart } = flags;
    const body = {
      ...(automation === undefined ? {} : { automation }),
      ...(threshold === undefined ? {} : { threshold: Number(threshold) }),
      ...(goal === undefined ? {} : { goal }),
    };
    if (Object.keys(body).length === 0 && restart === undefined)
      throw GodwitError.of("USAGE", {
        what: "Nothing is to be set.",
        hint: "Name --automation, --threshold, --goal or --restart.",
      });
    const set = await withApi(async (api) => ({
      balance:
        Object.keys(body).length === 0 && restart !== undefined
          ? null
          : await api.call("poolBalanceSet", { params: { pool }, body }),
      restarts:
        restart === undefined
          ? null
          : await api.call("poolRestartSet", { params: { pool }, body: { enabled: restart === "on" } }),
    }));
    if (flags.json) {
      writeJson({ ...set.balance, ...(restart === undefined ? {} : { restart }) });
      return;
    }
    const { balanceText, restartText } = await import("../../output/balance-view.ts");
    const parts = [
      ...(set.balance === null ? [] : [balanceText(set.balance)]),
      ...(set.restarts === null ? [] : [restartText(set.restarts.since !== null)]),
    ];
    writeLine(`Pool ${pool}: ${parts.join("; ")}.`);
  },
});
