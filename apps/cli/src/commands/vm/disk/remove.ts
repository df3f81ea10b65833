/** `godwit vm disk remove` */
import type { Task } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { keptFiles } from "../../../output/kept-disks.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, diskArguments, jsonFlag, type TaskFlags } from "../../common.ts";

export const removeDiskCommand = buildCommand({
  docs: {
    brief: "Remove a disk from a VM, and delete its image",
    fullDescription: `The image of a disk that Godwit made or copied is deleted; with --keep-file it stays where it is. Images that the VM took
over, and LUNs, always stay. What is kept is named.

While the VM runs, its guest is asked to let the disk go, and has 30 s for it. A volume of a LUN datastore that the guest lets go
later is removed then. Disks that were there when a q35 VM was created are
removed while it is stopped.

Examples:
  godwit vm disk remove web-1 data-1
  godwit vm disk remove web-1 data-1 --keep-file`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      keepFile: { kind: "boolean", brief: "Keep its image", default: false, withNegated: false },
    },
    positional: diskArguments,
  },
  async func(flags: TaskFlags & { keepFile: boolean }, vm: string, disk: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmDiskRemove", {
          params: { vm, disk },
          query: { keepFile: flags.keepFile ? "true" : "false" },
        }),
        flags,
        (ended) => `VM ${vm} has disk ${disk} no more.${keptText(ended)}`,
      ),
    );
  },
});

function keptText(ended: Task): string {
  const kept = ended.kind === "vm.changeDevice" ? ended.result?.kept : null;
  if (kept == null || ended.kind !== "vm.changeDevice") return "";
  return ` Its image is kept: ${keptFiles([kept], ended.request.home).join("")}.`;
}
