/** `godwit vm nic connect` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, nicArguments, type TaskFlags } from "../../common.ts";

export const connectNicCommand = buildCommand({
  docs: {
    brief: "Set a NIC's link up",
    fullDescription: `The guest sees a cable that is plugged in.

Example: godwit vm nic connect web-1 1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: nicArguments },
  async func(flags: TaskFlags, vm: string, nic: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmNicSet", { params: { vm, nic }, body: { connected: true } }),
        flags,
        `NIC ${nic} of VM ${vm} is connected.`,
      ),
    );
  },
});
