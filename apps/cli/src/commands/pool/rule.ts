/** `godwit pool rule …` */
import { buildRouteMap } from "@stricli/core";
import { addCommand } from "./rule/add.ts";
import { listCommand } from "./rule/list.ts";
import { removeCommand } from "./rule/remove.ts";

export const ruleRoutes = buildRouteMap({
  routes: { list: listCommand, add: addCommand, remove: removeCommand },
  docs: { brief: "Where VMs of a pool must or should be, and what they get" },
});
