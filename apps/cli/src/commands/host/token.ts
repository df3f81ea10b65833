/** `godwit host token` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { parseSeconds } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const tokenCommand = buildCommand({
  docs: {
    brief: "Create a one-time token for one host to join with",
    fullDescription: `Example: godwit host token --valid-seconds 600
A host whose certificate has ended, or whose keys are lost, joins again under its name: godwit host token --rejoin HOST`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      validSeconds: {
        kind: "parsed",
        parse: parseSeconds,
        brief: "How long it is valid: 600, 600s or 10min",
        default: "3600",
      },
      rejoin: {
        kind: "parsed",
        parse: String,
        brief: "A host that has joined before: its earlier certificates count no more",
        optional: true,
      },
    },
  },
  async func(flags: JsonFlags & { validSeconds: number; rejoin?: string }) {
    const answer = await withApi((api) =>
      api.call("hostTokenCreate", {
        body: {
          validSeconds: flags.validSeconds,
          ...(flags.rejoin === undefined ? {} : { rejoin: flags.rejoin }),
        },
      }),
    );
    if (flags.json) writeJson(answer);
    else writeLine(answer.token);
  },
});
