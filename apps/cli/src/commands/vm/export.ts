/** `godwit vm export` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatBytes } from "../../output/format.ts";
import { writeNote } from "../../output/screen.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, type TaskFlags } from "../common.ts";

export const exportCommand = buildCommand({
  docs: {
    brief: "Export a stopped VM as an OVA",
    fullDescription: `Writes one file with the VM's description (OVF), a manifest of checksums, and an image of each disk (VMDK, compressed), to a folder of a
datastore that is there already. VMware, VirtualBox and godwit vm import read it. What of the VM is not in it is listed at the end.

The disks are converted on a host that sees them; meanwhile the images take room beside the file. The VM stays as it is.

Examples:
  godwit vm export web-1 shared:exports/web-1.ova
  godwit vm export web-1 shared:web-1.ova --json`,
  },
  parameters: {
    flags: { json: jsonFlag, detach: detachFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { parse: String, brief: "Name or id of the VM", placeholder: "VM" },
        { parse: String, brief: "The file to write, DATASTORE:PATH.ova", placeholder: "PLACE" },
      ],
    },
  },
  async func(flags: TaskFlags, vm: string, place: string) {
    const [, datastore, path] = /^([^:/]+):(.+)$/.exec(place) ?? [];
    if (datastore === undefined || path === undefined)
      throw GodwitError.of("USAGE", {
        what: `${place} names no file on a datastore.`,
        hint: "Name it as DATASTORE:PATH, as in shared:exports/web-1.ova",
      });
    await withApi((api) =>
      runTask(
        api,
        api.call("vmExport", { params: { vm }, body: { to: { datastore, path } } }),
        flags,
        ({ result }) => {
          if (result === null || !("notCarried" in result)) return `VM ${vm} is exported to ${place}.`;
          for (const { what, reason } of result.notCarried) writeNote(`Not exported: ${what}; ${reason}.`);
          return `VM ${vm} is exported to ${place} (${formatBytes(result.bytes)}).`;
        },
      ),
    );
  },
});
