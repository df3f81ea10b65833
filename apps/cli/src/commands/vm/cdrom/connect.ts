/** `godwit vm cdrom connect` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, driveArguments, jsonFlag, type TaskFlags } from "../../common.ts";

export const connectCommand = buildCommand({
  docs: {
    brief: "Put an ISO image into a drive",
    fullDescription: `Without --iso, the image that the drive had last. While the image lies on a datastore that the destination does not
share, a VM that runs cannot be moved.

Examples:
  godwit vm cdrom connect web-1 cd0 --iso isos/debian-12.iso
  godwit vm cdrom connect web-1 cd0 --iso debian-12.iso --datastore library
  godwit vm cdrom connect web-1 cd0`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      iso: { kind: "parsed", parse: String, brief: "ISO image, relative to its datastore", optional: true },
      datastore: {
        kind: "parsed",
        parse: String,
        brief: "Datastore of the image (default: the VM's)",
        optional: true,
      },
    },
    positional: driveArguments,
  },
  async func(flags: TaskFlags & { iso?: string; datastore?: string }, vm: string, drive: string) {
    const { iso, datastore } = flags;
    if (iso === undefined && datastore !== undefined)
      throw GodwitError.of("USAGE", { what: "--datastore needs --iso.", hint: "Name the ISO image too." });
    await withApi(async (api) => {
      const medium =
        iso === undefined
          ? {}
          : {
              medium: {
                datastore: datastore ?? (await api.call("vmShow", { params: { vm } })).config.datastore,
                path: iso,
              },
            };
      await runTask(
        api,
        api.call("vmSet", { params: { vm }, body: { cdrom: { name: drive, ...medium, connected: true } } }),
        flags,
        `CD-ROM drive ${drive} of VM ${vm} is connected.`,
      );
    });
  },
});
