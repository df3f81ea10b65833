/** `godwit vm nic disconnect` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, nicArguments, type TaskFlags } from "../../common.ts";

export const disconnectNicCommand = buildCommand({
  docs: {
    brief: "Set a NIC's link down",
    fullDescription: `The guest sees a cable that is pulled out. The NIC keeps its port group, which a host that the VM moves to need not have then.

Example: godwit vm nic disconnect web-1 1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: nicArguments },
  async func(flags: TaskFlags, vm: string, nic: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmNicSet", { params: { vm, nic }, body: { connected: false } }),
        flags,
        `NIC ${nic} of VM ${vm} is disconnected.`,
      ),
    );
  },
});
