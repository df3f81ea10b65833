/** `godwit datastore list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: {
    brief: "List datastores",
    fullDescription: `As they are defined, with on how many of their hosts each can be used and the least that is free there.

Example: godwit datastore list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { datastores } = await withApi((api) => api.call("datastoreList", {}));
    if (flags.json) {
      writeJson(datastores);
      return;
    }
    const { datastoresText } = await import("../../output/datastore-view.ts");
    writeLine(datastoresText(datastores));
  },
});
