/** `godwit vm cdrom …` */
import { buildRouteMap } from "@stricli/core";
import { connectCommand } from "./cdrom/connect.ts";
import { disconnectCommand } from "./cdrom/disconnect.ts";

export const cdromRoutes = buildRouteMap({
  routes: { connect: connectCommand, disconnect: disconnectCommand },
  docs: { brief: "CD-ROM drives of a VM, at rest or while it runs" },
});
