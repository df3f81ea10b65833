/** `godwit vm snapshot …` */
import { buildRouteMap } from "@stricli/core";
import { createSnapshotCommand } from "./snapshot/create.ts";
import { deleteSnapshotCommand } from "./snapshot/delete.ts";
import { listSnapshotsCommand } from "./snapshot/list.ts";
import { revertCommand } from "./snapshot/revert.ts";
import { showSnapshotCommand } from "./snapshot/show.ts";

export const snapshotRoutes = buildRouteMap({
  routes: {
    create: createSnapshotCommand,
    list: listSnapshotsCommand,
    show: showSnapshotCommand,
    revert: revertCommand,
    delete: deleteSnapshotCommand,
  },
  docs: { brief: "Snapshots of a VM: its disks and, while it runs, its memory" },
});
