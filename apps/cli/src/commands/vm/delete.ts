/** `godwit vm delete` */
import type { DisksToDelete } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../common.ts";

export const deleteCommand = buildCommand({
  docs: {
    brief: "Delete a stopped VM and its disks",
    fullDescription: `Disks that Godwit made or copied are removed. Images that the VM took over (take: true) are kept in its folder,
unless --disks all is given; --disks none keeps all.

Example: godwit vm delete web-1`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      disks: {
        kind: "enum",
        values: wordsOf<DisksToDelete>({ made: true, all: true, none: true }),
        brief: "Which disks are removed",
        default: "made",
      },
    },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { disks: DisksToDelete }, name: string) {
    // Loaded here: it would make every command of VMs start later.
    const { isDeleted } = await import("@godwit/contract");
    await withApi(async (api) => {
      const vm = await api.call("vmShow", { params: { vm: name } });
      const kept = vm.config.disks.filter((disk) => !isDeleted(disk, flags.disks)).map(({ path }) => path);
      const left = kept.length === 0 ? "" : ` Kept on ${vm.config.datastore}: ${kept.join(", ")}.`;
      const task = api.call("vmDelete", { params: { vm: name }, query: { disks: flags.disks } });
      await runTask(api, task, flags, `VM ${name} is deleted.${left}`);
    });
  },
});
