/** `godwit vm delete` */
import type { DisksToDelete, Task } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { keptFiles } from "../../output/kept-disks.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, wordsOf, type TaskFlags } from "../common.ts";

export const deleteCommand = buildCommand({
  docs: {
    brief: "Delete a stopped VM and its disks",
    fullDescription: `Disks that Godwit made or copied are removed. Images that the VM took over (take: true) are kept in its folder,
and so are disks of which an earlier version did not note where they come from. --disks all removes these too;
--disks none keeps all. What is kept is named.

Examples:
  godwit vm delete web-1
  godwit vm delete web-1 --disks all`,
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
    await withApi(async (api) => {
      const task = api.call("vmDelete", { params: { vm: name }, query: { disks: flags.disks } });
      await runTask(api, task, flags, (ended) => `VM ${name} is deleted.${keptText(ended)}`);
    });
  },
});

function keptText(ended: Task): string {
  const kept = ended.kind === "vm.delete" ? (ended.result?.kept ?? []) : [];
  if (kept.length === 0 || ended.kind !== "vm.delete") return "";
  return ` These files are kept: ${keptFiles(kept, ended.request.datastore).join(", ")}.`;
}
