/** `godwit network show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, networkArgument, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show one port group, as it is defined and as each host has it",
    fullDescription: "Example: godwit network show office",
  },
  parameters: { flags: { json: jsonFlag }, positional: networkArgument },
  async func(flags: JsonFlags, network: string) {
    const view = await withApi((api) => api.call("networkShow", { params: { network } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { networkText } = await import("../../output/network-view.ts");
    writeLine(networkText(view));
  },
});
