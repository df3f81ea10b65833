/** `godwit datastore show` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { datastoreArgument, jsonFlag, type JsonFlags } from "../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show one datastore, as it is defined and as each host has it",
    fullDescription: "Example: godwit datastore show shared",
  },
  parameters: { flags: { json: jsonFlag }, positional: datastoreArgument },
  async func(flags: JsonFlags, datastore: string) {
    const view = await withApi((api) => api.call("datastoreShow", { params: { datastore } }));
    if (flags.json) {
      writeJson(view);
      return;
    }
    const { datastoreText } = await import("../../output/datastore-view.ts");
    writeLine(datastoreText(view));
  },
});
