/** `godwit vm unregister` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { vmArgument } from "../common.ts";

export const unregisterCommand = buildCommand({
  docs: {
    brief: "Take a VM that does not run out of the inventory; its files stay",
    fullDescription: `Its folder and disks stay on the datastore; godwit vm register reads it back. For a VM whose datastore is
gone for good, this is the way to be rid of it.

Example: godwit vm unregister web-1`,
  },
  parameters: { positional: vmArgument },
  async func(_flags: object, vm: string) {
    await withApi((api) => api.call("vmUnregister", { params: { vm } }));
    writeLine(`VM ${vm} is no longer in the inventory. Its files were left as they are.`);
  },
});
