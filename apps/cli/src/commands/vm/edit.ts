/** `godwit vm edit` */
import { hasProcess } from "@godwit/contract/vm-state";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine, writeNote } from "../../output/screen.ts";
import { runTask } from "../../run-task.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../common.ts";

export const editCommand = buildCommand({
  docs: {
    brief: "Change a VM's description in an editor",
    fullDescription: `Shows the VM's description as YAML in the editor that VISUAL or EDITOR names. What is saved is checked: with problems, the editor is
offered again, with all of them at the top. Then it is applied as one change. If somebody else has changed the same meanwhile, nothing is
changed, and the text is kept in a file.

Memory, vCPUs and TPM change while the VM is stopped. Disks and NICs are shown, and are changed by godwit vm disk and godwit vm nic.

Examples:
  godwit vm edit web-1
  EDITOR=nano godwit vm edit web-1`,
  },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const { EditedFile, editorOf } = await import("../../edit/editor.ts");
    const editor = editorOf(process.env, process.stdin.isTTY && process.stdout.isTTY);
    const { editedVm } = await import("../../edit/edit-vm.ts");
    await withApi(async (api) => {
      const view = await api.call("vmShow", { params: { vm } });
      const { name, config } = view;
      const file = await EditedFile.make(`${name}.yaml`, editor);
      const edited = { config, runs: hasProcess(view) };
      const edit = await editedVm(edited, (text) => file.edit(text), file.path);
      if (edit === null) {
        await file.remove();
        if (flags.json) writeJson(view);
        else writeLine(`VM ${name} is as it was: nothing was changed.`);
        return;
      }
      const body = { ...edit.changes, basis: edit.basis };
      try {
        const set = api.call("vmSet", { params: { vm: view.id }, body });
        await runTask(api, set, flags, `VM ${name} is changed: ${Object.keys(edit.changes).join(", ")}.`);
      } catch (error) {
        writeNote(`What was written is kept: ${file.path}`);
        throw error;
      }
      await file.remove();
    });
  },
});
