/** `godwit host power unset` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../../common.ts";

export const unsetCommand = buildCommand({
  docs: {
    brief: "Forget a host's power controller and its password",
    fullDescription: "Example: godwit host power unset a",
  },
  parameters: { flags: { json: jsonFlag }, positional: hostArgument },
  async func(flags: JsonFlags, host: string) {
    await withApi((api) => api.call("hostPowerUnset", { params: { host } }));
    if (flags.json) writeJson({ host });
    else writeLine(`The server does not control the power of host ${host}.`);
  },
});
