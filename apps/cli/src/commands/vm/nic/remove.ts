/** `godwit vm nic remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, nicArguments, type TaskFlags } from "../../common.ts";

export const removeNicCommand = buildCommand({
  docs: {
    brief: "Remove a NIC from a VM",
    fullDescription: `While the VM runs, its guest is asked to let the NIC go, and has 30 s for it. NICs that were there when a q35 VM was created are
removed while it is stopped; until then: godwit vm nic disconnect

Example: godwit vm nic remove web-1 1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: nicArguments },
  async func(flags: TaskFlags, vm: string, nic: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmNicRemove", { params: { vm, nic } }),
        flags,
        `VM ${vm} has NIC ${nic} no more.`,
      ),
    );
  },
});
