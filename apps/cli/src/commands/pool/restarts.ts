/** `godwit pool restarts` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, poolArgument, type JsonFlags } from "../common.ts";

export const restartsCommand = buildCommand({
  docs: {
    brief: "Show VMs of a pool that died, and what each waits for",
    fullDescription: `VMs of a host that fell silent, and VMs whose process ended by itself.

Example: godwit pool restarts east`,
  },
  parameters: { flags: { json: jsonFlag }, positional: poolArgument },
  async func(flags: JsonFlags, pool: string) {
    const answer = await withApi((api) => api.call("poolRestarts", { params: { pool } }));
    if (flags.json) {
      writeJson(answer);
      return;
    }
    const { restartsText } = await import("../../output/balance-view.ts");
    writeLine(restartsText(answer));
  },
});
