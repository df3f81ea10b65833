/** `godwit host show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { hostText } from "../../output/host-view.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: { brief: "Show one host", fullDescription: "Example: godwit host show a" },
  parameters: { flags: { json: jsonFlag }, positional: hostArgument },
  async func(flags: JsonFlags, host: string) {
    const view = await withApi((api) => api.call("hostShow", { params: { host } }));
    if (flags.json) writeJson(view);
    else writeLine(hostText(view));
  },
});
