/** `godwit datastore …` */
import { buildRouteMap } from "@stricli/core";
import { initCommand } from "./datastore/init.ts";
import { summaries } from "../summaries.ts";

export const datastoreRoutes = buildRouteMap({
  routes: { init: initCommand },
  docs: { brief: summaries.datastore.brief },
});
