/** `godwit network remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { networkArgument } from "../common.ts";

export const removeCommand = buildCommand({
  docs: {
    brief: "Remove a port group",
    fullDescription: `Refused while a VM of the inventory has a NIC in it. One that a host has by its agent's own configuration is removed there.

Example: godwit network remove web`,
  },
  parameters: { flags: {}, positional: networkArgument },
  async func(_: object, network: string) {
    await withApi((api) => api.call("networkRemove", { params: { network } }));
    writeLine(`Port group ${network} is removed.`);
  },
});
