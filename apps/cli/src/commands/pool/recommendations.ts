/** `godwit pool recommendations` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";

export const recommendationsCommand = buildCommand({
  docs: {
    brief: "Show the newest round of a pool's balancer",
    fullDescription: "Example: godwit pool recommendations east",
  },
  parameters: { flags: { json: jsonFlag }, positional: poolArgument },
  async func(flags: JsonFlags, pool: string) {
    const answer = await withApi((api) => api.call("poolRecommendations", { params: { pool } }));
    if (flags.json) {
      writeJson(answer);
      return;
    }
    const { roundText } = await import("../../output/balance-view.ts");
    writeLine(roundText(pool, answer.round, answer.frozen));
  },
});
