/** `godwit vm start` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, hostFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const startCommand = buildCommand({
  docs: { brief: "Power a VM on", fullDescription: "Example: godwit vm start web-1" },
  parameters: {
    flags: { json: jsonFlag, detach: detachFlag, host: hostFlag("that runs it; default: where it ran last") },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { host?: string }, vm: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmStart", { params: { vm }, body: { host: flags.host } }),
        flags,
        `VM ${vm} is running.`,
      ),
    );
  },
});
