/** `godwit switch list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: {
    brief: "List virtual switches",
    fullDescription: `As they are defined, with on how many of their hosts each is as it should be.

Example: godwit switch list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { switches } = await withApi((api) => api.call("switchList", {}));
    if (flags.json) {
      writeJson(switches);
      return;
    }
    const { switchesText } = await import("../../output/network-view.ts");
    writeLine(switchesText(switches));
  },
});
