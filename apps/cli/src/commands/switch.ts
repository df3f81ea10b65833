/** `godwit switch …` */
import { buildRouteMap } from "@stricli/core";
import { addCommand } from "./switch/add.ts";
import { listCommand } from "./switch/list.ts";
import { removeCommand } from "./switch/remove.ts";
import { setCommand } from "./switch/set.ts";
import { showCommand } from "./switch/show.ts";
import { summaries } from "../summaries.ts";

export const switchRoutes = buildRouteMap({
  routes: { list: listCommand, show: showCommand, add: addCommand, set: setCommand, remove: removeCommand },
  docs: { brief: summaries.switch.brief },
});
