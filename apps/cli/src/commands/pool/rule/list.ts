/** `godwit pool rule list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List the rules of a pool", fullDescription: "Example: godwit pool rule list east" },
  parameters: { flags: { json: jsonFlag }, positional: poolArgument },
  async func(flags: JsonFlags, pool: string) {
    const answer = await withApi((api) => api.call("poolRuleList", { params: { pool } }));
    if (flags.json) {
      writeJson(answer);
      return;
    }
    const { rulesText } = await import("../../../output/pool-view.ts");
    writeLine(rulesText(pool, answer.rules));
  },
});
