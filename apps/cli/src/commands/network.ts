/** `godwit network …` */
import { buildRouteMap } from "@stricli/core";
import { addCommand } from "./network/add.ts";
import { listCommand } from "./network/list.ts";
import { removeCommand } from "./network/remove.ts";
import { setCommand } from "./network/set.ts";
import { showCommand } from "./network/show.ts";
import { summaries } from "../summaries.ts";

export const networkRoutes = buildRouteMap({
  routes: { list: listCommand, show: showCommand, add: addCommand, set: setCommand, remove: removeCommand },
  docs: { brief: summaries.network.brief },
});
