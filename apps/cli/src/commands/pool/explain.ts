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
  godwit pool explain east web-1 --goal even
  godwit pool explain east web-1 --without host-c`,
  },
  parameters: {
    flags: { json: jsonFlag, ...planFlags },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Pool", placeholder: "pool", parse: String },
        { brief: "Name or id of the VM", placeholder: "vm", parse: String },
      ],
    },
  },
  async func(flags: JsonFlags & PlanFlags, pool: string, vm: string) {
    const call = { params: { pool, vm }, body: planRequest(flags) };
    const explanation = await withApi((api) => api.call("poolExplain", call));
    if (flags.json) {
      writeJson(explanation);
      return;
    }
    const { explanationText } = await import("../../output/plan-view.ts");
    writeLine(explanationText(explanation));
  },
});
