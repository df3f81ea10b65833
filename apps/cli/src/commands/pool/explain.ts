/** `godwit pool explain` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { planFlags, planRequest, type PlanFlags } from "./plan-flags.ts";

export const explainCommand = buildCommand({
  docs: {
    brief: "Show why a VM would move or stay, or why each host is on or off",
    fullDescription: `Of a VM: what a move to every other host of the pool would gain, and what stands against it. Without one: what the pool has decided
to save power (godwit pool set POOL --consolidate on), and why each host is on or off.

Examples:
  godwit pool explain east
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
        { brief: "Name or id of the VM", placeholder: "vm", parse: String, optional: true },
      ],
    },
  },
  async func(flags: JsonFlags & PlanFlags & { round?: string }, pool: string, vm?: string) {
    if (vm === undefined) {
      const { json, without, add, evc, round } = flags;
      if ([without, add, evc, round].some((one) => one !== undefined))
        throw GodwitError.of("USAGE", {
          what: "What is supposed of the pool, and its rounds, are explained for a VM.",
          hint: `Name the VM: godwit pool explain ${pool} VM; or leave the other words out.`,
        });
      await explainPower({ json }, pool);
      return;
    }
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

async function explainPower({ json }: JsonFlags, pool: string): Promise<void> {
  const view = await withApi((api) => api.call("poolConsolidationShow", { params: { pool } }));
  if (json) {
    writeJson(view);
    return;
  }
  const { decisionText } = await import("../../output/balance-view.ts");
  writeLine(decisionText(view));
}
