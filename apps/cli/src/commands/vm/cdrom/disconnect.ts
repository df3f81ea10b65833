/** `godwit vm cdrom disconnect` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, driveArguments, jsonFlag, type TaskFlags } from "../../common.ts";

export const disconnectCommand = buildCommand({
  docs: {
    brief: "Take the ISO image out of a drive",
    fullDescription: `Also where the guest has locked the drive. The drive keeps in mind which image it was.

Example: godwit vm cdrom disconnect web-1 cd0`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: driveArguments },
  async func(flags: TaskFlags, vm: string, drive: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmSet", { params: { vm }, body: { cdrom: { name: drive, connected: false } } }),
        flags,
        `CD-ROM drive ${drive} of VM ${vm} is disconnected.`,
      ),
    );
  },
});
