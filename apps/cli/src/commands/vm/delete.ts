/** `godwit vm delete` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const deleteCommand = buildCommand({
  docs: { brief: "Delete a stopped VM and its disks", fullDescription: "Example: godwit vm delete web-1" },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: vmArgument },
  async func(flags: TaskFlags, vm: string) {
    await withApi((api) =>
      runTask(api, api.call("vmDelete", { params: { vm } }), flags, `VM ${vm} is deleted.`),
    );
  },
});
