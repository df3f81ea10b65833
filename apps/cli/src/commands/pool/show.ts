/** `godwit pool show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: { brief: "Show one pool", fullDescription: "Example: godwit pool show east" },
  parameters: { flags: { json: jsonFlag }, positional: poolArgument },
  async func(flags: JsonFlags, pool: string) {
    const view = await withApi((api) => api.call("poolShow", { params: { pool } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { poolText } = await import("../../output/pool-view.ts");
    writeLine(poolText(view));
  },
});
