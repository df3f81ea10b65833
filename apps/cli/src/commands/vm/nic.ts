/** `godwit vm nic …` */
import { buildRouteMap } from "@stricli/core";
import { addNicCommand } from "./nic/add.ts";
import { connectNicCommand } from "./nic/connect.ts";
import { disconnectNicCommand } from "./nic/disconnect.ts";
import { listNicsCommand } from "./nic/list.ts";
import { removeNicCommand } from "./nic/remove.ts";
import { setNicCommand } from "./nic/set.ts";

export const nicRoutes = buildRouteMap({
  routes: {
    list: listNicsCommand,
    add: addNicCommand,
    set: setNicCommand,
    connect: connectNicCommand,
    disconnect: disconnectNicCommand,
    remove: removeNicCommand,
  },
  docs: { brief: "NICs of a VM, at rest or while it runs" },
});
