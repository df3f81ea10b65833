/** `godwit host token` */
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const tokenCommand = buildCommand({
  docs: {
    brief: "Create a one-time token for one host to join with",
    fullDescription: "Example: godwit host token --valid-seconds 600",
  },
  parameters: {
    flags: {
      json: jsonFlag,
      validSeconds: { kind: "parsed", parse: numberParser, brief: "How long it is valid", default: "3600" },
    },
  },
  async func(flags: JsonFlags & { validSeconds: number }) {
    const answer = await withApi((api) =>
      api.call("hostTokenCreate", { body: { validSeconds: flags.validSeconds } }),
    );
    if (flags.json) writeJson(answer);
    else writeLine(answer.token);
  },
});
