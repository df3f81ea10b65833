/** `godwit vm resume` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const resumeCommand = buildCommand({
  docs: {
    brief: "Let a paused VM run again",
    fullDescription: `Whatever stopped it: godwit vm pause, an I/O error, a full datastore, its own sleep. What had failed of a disk is tried
again.

Example: godwit vm resume web-1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: vmArgument },
  async func(flags: TaskFlags, vm: string) {
    await withApi((api) =>
      runTask(api, api.call("vmResume", { params: { vm } }), flags, `VM ${vm} runs again.`),
    );
  },
});
