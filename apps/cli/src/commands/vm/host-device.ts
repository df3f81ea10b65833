/** `godwit vm host-device …` */
import { buildRouteMap } from "@stricli/core";
import { addHostDeviceCommand } from "./host-device/add.ts";
import { removeHostDeviceCommand } from "./host-device/remove.ts";

export const hostDeviceRoutes = buildRouteMap({
  routes: { add: addHostDeviceCommand, remove: removeHostDeviceCommand },
  docs: { brief: "PCI and USB devices of its host that a VM has for itself" },
});
