/** `godwit vm disk …` */
import { buildRouteMap } from "@stricli/core";
import { addDiskCommand } from "./disk/add.ts";
import { listDisksCommand } from "./disk/list.ts";
import { removeDiskCommand } from "./disk/remove.ts";
import { resizeDiskCommand } from "./disk/resize.ts";

export const diskRoutes = buildRouteMap({
  routes: {
    list: listDisksCommand,
    add: addDiskCommand,
    resize: resizeDiskCommand,
    remove: removeDiskCommand,
  },
  docs: { brief: "Disks of a VM, at rest or while it runs" },
});
