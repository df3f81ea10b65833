/** `godwit datastore …` */
import { buildRouteMap } from "@stricli/core";
import { addCommand } from "./datastore/add.ts";
import { browseCommand } from "./datastore/browse.ts";
import { initCommand } from "./datastore/init.ts";
import { restoreCommand } from "./datastore/restore.ts";
import { listCommand } from "./datastore/list.ts";
import { removeCommand } from "./datastore/remove.ts";
import { setCommand } from "./datastore/set.ts";
import { showCommand } from "./datastore/show.ts";
import { uploadCommand } from "./datastore/upload.ts";
import { summaries } from "../summaries.ts";

export const datastoreRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    show: showCommand,
    browse: browseCommand,
    upload: uploadCommand,
    add: addCommand,
    set: setCommand,
    remove: removeCommand,
    init: initCommand,
    restore: restoreCommand,
  },
  docs: { brief: summaries.datastore.brief },
});
