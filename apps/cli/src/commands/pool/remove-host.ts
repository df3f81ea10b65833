/** `godwit pool remove-host` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { poolAndHost } from "./change.ts";

export const removeHostCommand = buildCommand({
  docs: {
    brief: "Remove a host from a pool",
    fullDescription:
      "Its VMs keep the features that they run with.\n\nExample: godwit pool remove-host east c",
  },
  parameters: { flags: { json: jsonFlag }, positional: poolAndHost },
  async func(flags: JsonFlags, pool: string, host: string) {
    const view = await withApi((api) => api.call("poolHostRemove", { params: { pool, host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} is no longer in pool ${pool}.`);
  },
});
