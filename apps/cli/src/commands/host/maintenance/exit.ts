/** `godwit host maintenance exit` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { hostArgument, jsonFlag, type JsonFlags } from "../../common.ts";

export const exitCommand = buildCommand({
  docs: {
    brief: "Let a host accept VMs again",
    fullDescription: `VMs that were moved off it do not move back.

Example: godwit host maintenance exit a`,
  },
  parameters: { flags: { json: jsonFlag }, positional: hostArgument },
  async func(flags: JsonFlags, host: string) {
    const view = await withApi((api) => api.call("hostMaintenanceExit", { params: { host } }));
    if (flags.json) writeJson(view);
    else writeLine(`Host ${host} is out of maintenance mode and accepts VMs.`);
  },
});
