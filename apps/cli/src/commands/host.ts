/** `godwit host …` */
import { buildRouteMap } from "@stricli/core";
import { joinCommand } from "./host/join.ts";
import { listCommand } from "./host/list.ts";
import { maintenanceRoutes } from "./host/maintenance.ts";
import { powerRoutes } from "./host/power.ts";
import { removeCommand } from "./host/remove.ts";
import { renewQemuCommand } from "./host/renew-qemu.ts";
import { setCommand } from "./host/set.ts";
import { showCommand } from "./host/show.ts";
import { tokenCommand } from "./host/token.ts";
import { summaries } from "../summaries.ts";

export const hostRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    show: showCommand,
    token: tokenCommand,
    join: joinCommand,
    maintenance: maintenanceRoutes,
    power: powerRoutes,
    renewQemu: renewQemuCommand,
    set: setCommand,
    remove: removeCommand,
  },
  docs: { brief: summaries.host.brief },
});
