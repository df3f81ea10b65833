/** `godwit host power …` */
import { buildRouteMap } from "@stricli/core";
import { offCommand } from "./power/off.ts";
import { onCommand } from "./power/on.ts";
import { setCommand } from "./power/set.ts";
import { showCommand } from "./power/show.ts";
import { unsetCommand } from "./power/unset.ts";

export const powerRoutes = buildRouteMap({
  routes: { set: setCommand, show: showCommand, on: onCommand, off: offCommand, unset: unsetCommand },
  docs: { brief: "Power of a host, by its BMC or Wake-on-LAN: set, show, on, off" },
});
