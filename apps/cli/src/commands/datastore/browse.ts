/** `godwit datastore browse` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { datastoreArgument, hostFlag, jsonFlag, type JsonFlags } from "../common.ts";

export const browseCommand = buildCommand({
  docs: {
    brief: "List what lies on a datastore",
    fullDescription: `As one of its hosts sees it: one that can use it, or --host.

Examples:
  godwit datastore browse vms
  godwit datastore browse vms images --host a`,
  },
  parameters: {
    flags: { json: jsonFlag, host: hostFlag("that is asked") },
    positional: {
      kind: "tuple",
      parameters: [
        ...datastoreArgument.parameters,
        {
          brief: "A folder, relative to the datastore",
          placeholder: "folder",
          parse: String,
          optional: true,
        },
      ],
    },
  },
  async func(flags: JsonFlags & { host?: string }, datastore: string, path?: string) {
    const query = {
      ...(path === undefined ? {} : { path }),
      ...(flags.host === undefined ? {} : { host: flags.host }),
    };
    const listed = await withApi((api) => api.call("datastoreBrowse", { params: { datastore }, query }));
    if (flags.json) {
      writeJson(listed);
      return;
    }
    const { entriesText } = await import("../../output/datastore-view.ts");
    writeLine(entriesText(listed));
  },
});
