/** `godwit switch remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { hostFlag, switchArgument } from "../common.ts";

export const removeCommand = buildCommand({
  docs: {
    brief: "Remove a virtual switch, or that of one host",
    fullDescription: `The hosts' agents remove their bridges; the uplinks stay as they are, and on; a bond that they made goes. Refused while the switch has a port group, and
of one host while a VM there is connected to one.

Examples:
  godwit switch remove lan
  godwit switch remove lan --host c`,
  },
  parameters: { flags: { host: hostFlag("that is not to have it any more") }, positional: switchArgument },
  async func({ host }: { host?: string }, name: string) {
    const query = host === undefined ? {} : { host };
    await withApi((api) => api.call("switchRemove", { params: { switch: name }, query }));
    writeLine(`Virtual switch ${name} is removed${host === undefined ? "" : ` from host ${host}`}.`);
  },
});
