/** `godwit vm snapshot show` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeJson, writeLine } from "../../../output/screen.ts";
import { snapshotText } from "../../../output/snapshot-view.ts";
import { jsonFlag, snapshotArguments, type JsonFlags } from "../../common.ts";

export const showSnapshotCommand = buildCommand({
  docs: {
    brief: "Show one snapshot of a VM",
    fullDescription: "Example: godwit vm snapshot show web-1 before-upgrade",
  },
  parameters: { flags: { json: jsonFlag }, positional: snapshotArguments },
  async func(flags: JsonFlags, vm: string, snapshot: string) {
    const all = await withApi((api) => api.call("vmSnapshotList", { params: { vm } }));
    const found = all.snapshots.find(({ name, id }) => name === snapshot || id === snapshot);
    if (found === undefined) {
      const known = all.snapshots.map(({ name }) => name);
      throw GodwitError.of("SNAPSHOT_UNKNOWN", { vm, snapshot, known });
    }
    if (flags.json) writeJson(found);
    else writeLine(snapshotText(found, all));
  },
});
