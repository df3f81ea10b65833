/** `godwit vm snapshot delete` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, jsonFlag, snapshotArguments, type TaskFlags } from "../../common.ts";

export const deleteSnapshotCommand = buildCommand({
  docs: {
    brief: "Delete a snapshot of a VM, while it runs or stopped",
    fullDescription: `What the VM is now, and its other snapshots, stay. The room that it took inside of the images is used again by the VM.

Example: godwit vm snapshot delete web-1 before-upgrade`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: snapshotArguments },
  async func(flags: TaskFlags, vm: string, snapshot: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmSnapshotDelete", { params: { vm, snapshot } }),
        flags,
        `Snapshot ${snapshot} of VM ${vm} is deleted.`,
      ),
    );
  },
});
