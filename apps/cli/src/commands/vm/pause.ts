/** `godwit vm pause` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const pauseCommand = buildCommand({
  docs: {
    brief: "Stop a VM's vCPUs",
    fullDescription: `Its memory stays as it is, also when the VM is moved; godwit vm resume lets it run again.

Example: godwit vm pause web-1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: vmArgument },
  async func(flags: TaskFlags, vm: string) {
    await withApi((api) =>
      runTask(api, api.call("vmPause", { params: { vm } }), flags, `VM ${vm} is paused.`),
    );
  },
});
