/** `godwit pool plan` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";
import { planFlags, planRequest, type PlanFlags } from "./plan-flags.ts";

export const planCommand = buildCommand({
  docs: {
    brief: "Show which VMs would move, where to and what for",
    fullDescription: `A recommendation: nothing is moved. Moves are listed in an order in which each has room; those of maintenance come first.
With --goal even hosts are to be used alike; with happy, the default, a VM moves only where somebody gains.

Examples:
  godwit pool plan east
  godwit pool plan east --goal even --threshold 4
  godwit pool plan east --without host-c
  godwit pool plan east --add host-a
  godwit pool plan east --evc intel-haswell
  godwit pool plan east --json`,
  },
  parameters: { flags: { json: jsonFlag, ...planFlags }, positional: poolArgument },
  async func(flags: JsonFlags & PlanFlags, pool: string) {
    const plan = await withApi((api) => api.call("poolPlan", { params: { pool }, body: planRequest(flags) }));
    if (flags.json) {
      writeJson(plan);
      return;
    }
    const { planText } = await import("../../output/plan-view.ts");
    writeLine(planText(plan));
  },
});
