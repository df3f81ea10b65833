/** `godwit pool explain` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { planFlags, planRequest, type PlanFlags } from "./plan-flags.ts";

export const explainCommand = buildCommand({
  docs: {
    brief: "Show why a VM would move, or stay",
    fullDescription: `Of every other host of the pool: what a move there would gain, and what stands against it.

Examples:
  godwit pool explain east web-1
  godwit pool explain east web-1 --round last
  godwit pool explain east web-1 --goal even
  godwit pool explain east web-1 --without host-c`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      ...planFlags,
      round: {
        kind: "parsed",
        parse: String,
        brief: "Of this round of the balancer, by what was known then; last is the newest",
        optional: true,
      },
    },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Pool", placeholder: "pool", parse: String },
        { brief: "Name or id of the VM", placeholder: "vm", parse: String },
      ],
    },
  },
  async func(flags: JsonFlags & PlanFlags & { round?: string }, pool: string, vm: string) {
    const call = { params: { pool, vm }, body: planRequest(flags) };
    const { round } = flags;
    const explanation = await withApi((api) =>
      round === undefined
        ? api.call("poolExplain", call)
        : api.call("poolRoundExplain", { params: { pool, vm, round } }),
    );
    if (flags.json) {
      writeJson(explanation);
      return;
    }
    const { explanationText } = await import("../../output/plan-view.ts");
    writeLine(explanationText(explanation));
  },
});
