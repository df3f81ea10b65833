/** `godwit host maintenance …` */
import { buildRouteMap } from "@stricli/core";
import { enterCommand } from "./maintenance/enter.ts";
import { exitCommand } from "./maintenance/exit.ts";

export const maintenanceRoutes = buildRouteMap({
  routes: { enter: enterCommand, exit: exitCommand },
  docs: { brief: "Maintenance mode, for work on a host: enter, exit" },
});
