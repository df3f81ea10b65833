/** `godwit vm disk list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { formatBytes, formatTable } from "../../../output/format.ts";
import { writeJson, writeLine, writeNote } from "../../../output/screen.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

export const listDisksCommand = buildCommand({
  docs: { brief: "List a VM's disks", fullDescription: "Example: godwit vm disk list web-1" },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const found = await withApi(async (api) => ({
      ...(await api.call("vmDiskList", { params: { vm } })),
      home: (await api.call("vmShow", { params: { vm } })).config.datastore,
    }));
    const { disks, current, home } = found;
    if (flags.json) {
      writeJson({ disks, current });
      return;
    }
    if (disks.length === 0) {
      writeLine(`VM ${vm} has no disk.`);
      return;
    }
    writeLine(
      formatTable([
        ["DISK", "SIZE", "BUS", "FORMAT", "DATASTORE", "PATH"],
        ...disks.map((disk) => [
          ...[disk.name, disk.sizeBytes === null ? "–" : formatBytes(disk.sizeBytes), disk.bus ?? "virtio"],
          ...[disk.format, disk.datastore ?? home, disk.path],
        ]),
      ]),
    );
    if (!current) writeNote("Its host was not asked: this is what was known last.");
  },
});
