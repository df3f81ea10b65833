/** `godwit vm snapshot list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { snapshotsText } from "../../../output/snapshot-view.ts";
import { jsonFlag, vmArgument, type JsonFlags } from "../../common.ts";

export const listSnapshotsCommand = buildCommand({
  docs: { brief: "List a VM's snapshots", fullDescription: "Example: godwit vm snapshot list web-1" },
  parameters: { flags: { json: jsonFlag }, positional: vmArgument },
  async func(flags: JsonFlags, vm: string) {
    const found = await withApi((api) => api.call("vmSnapshotList", { params: { vm } }));
    if (flags.json) writeJson(found);
    else writeLine(snapshotsText(vm, found));
  },
});
