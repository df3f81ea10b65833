/** `godwit host power show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { powerText } from "../../../output/power-view.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show a host's power controller, and what it says now",
    fullDescription: "Example: godwit host power show a",
  },
  parameters: { flags: { json: jsonFlag }, positional: hostArgument },
  async func(flags: JsonFlags, host: string) {
    const view = await withApi((api) => api.call("hostPowerShow", { params: { host } }));
    if (flags.json) writeJson(view);
    else writeLine(powerText(host, view));
  },
});
