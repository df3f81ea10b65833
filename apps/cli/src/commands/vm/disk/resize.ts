/** `godwit vm disk resize` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { parseMib } from "../../../output/format.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, diskArguments, jsonFlag, type TaskFlags } from "../../common.ts";

export const resizeDiskCommand = buildCommand({
  docs: {
    brief: "Grow a disk of a VM",
    fullDescription: `A disk only grows. While the VM runs, its guest sees the new size at once; partitions and file systems are grown in the guest.

Example: godwit vm disk resize web-1 data-1 --size 40GiB`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      size: { kind: "parsed", parse: parseMib, brief: "New size, like 40GiB" },
    },
    positional: diskArguments,
  },
  async func(flags: TaskFlags & { size: number }, vm: string, disk: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmDiskResize", { params: { vm, disk }, body: { sizeMib: flags.size } }),
        flags,
        `Disk ${disk} of VM ${vm} has ${String(flags.size)} MiB.`,
      ),
    );
  },
});
