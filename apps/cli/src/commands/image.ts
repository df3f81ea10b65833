/** `godwit image …` */
import { buildRouteMap } from "@stricli/core";
import { summaries } from "../summaries.ts";
import { addCommand } from "./image/add.ts";
import { deleteCommand } from "./image/delete.ts";
import { listCommand } from "./image/list.ts";
import { showCommand } from "./image/show.ts";

export const imageRoutes = buildRouteMap({
  routes: { list: listCommand, show: showCommand, add: addCommand, delete: deleteCommand },
  docs: { brief: summaries.image.brief },
});
