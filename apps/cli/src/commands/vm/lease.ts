/** `godwit vm lease …` */
import { buildRouteMap } from "@stricli/core";
import { breakCommand } from "./lease/break.ts";
import { showCommand } from "./lease/show.ts";

export const leaseRoutes = buildRouteMap({
  routes: { show: showCommand, break: breakCommand },
  docs: { brief: "Leases: which host may run a VM" },
});
