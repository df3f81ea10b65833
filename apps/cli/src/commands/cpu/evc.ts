/** `godwit cpu evc …` */
import { buildRouteMap } from "@stricli/core";
import { checkCommand } from "./evc/check.ts";
import { listCommand } from "./evc/list.ts";
import { showCommand } from "./evc/show.ts";

export const evcRoutes = buildRouteMap({
  routes: { list: listCommand, show: showCommand, check: checkCommand },
  docs: { brief: "EVC modes: list, show, check" },
});
