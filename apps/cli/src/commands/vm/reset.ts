/** `godwit vm reset` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const resetCommand = buildCommand({
  docs: {
    brief: "Reset a VM, as by its reset button",
    fullDescription: `Its guest starts again at once, in the same QEMU and on the same host. What the guest had not written to its disks is lost: for a
guest that works, use godwit vm stop and start. A pool can reset VMs whose guests hang: godwit pool set POOL --guest-reset on.

Example: godwit vm reset web-1`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: vmArgument },
  async func(flags: TaskFlags, vm: string) {
    await withApi((api) =>
      runTask(api, api.call("vmReset", { params: { vm } }), flags, `VM ${vm} was reset.`),
    );
  },
});
