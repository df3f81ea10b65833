/** `godwit network list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: {
    brief: "List port groups",
    fullDescription: `As they are defined, and those that hosts have by their agents' own configuration (agent.yaml).

Example: godwit network list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { networks } = await withApi((api) => api.call("networkList", {}));
    if (flags.json) {
      writeJson(networks);
      return;
    }
    const { networksText } = await import("../../output/network-view.ts");
    writeLine(networksText(networks));
  },
});
