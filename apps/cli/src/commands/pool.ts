/** `godwit pool …`: hosts that share one CPU baseline. */
import { buildRouteMap } from "@stricli/core";
import { addHostCommand } from "./pool/add-host.ts";
import { createCommand } from "./pool/create.ts";
import { deleteCommand } from "./pool/delete.ts";
import { evcCommand } from "./pool/evc.ts";
import { listCommand } from "./pool/list.ts";
import { removeHostCommand } from "./pool/remove-host.ts";
import { showCommand } from "./pool/show.ts";
import { summaries } from "../summaries.ts";

export const poolRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    show: showCommand,
    create: createCommand,
    delete: deleteCommand,
    addHost: addHostCommand,
    removeHost: removeHostCommand,
    evc: evcCommand,
  },
  docs: { brief: summaries.pool.brief },
});
