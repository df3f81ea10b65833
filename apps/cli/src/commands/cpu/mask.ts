/** `godwit cpu mask …` */
import { buildRouteMap } from "@stricli/core";
import { explainCommand } from "./mask/explain.ts";
import { qemuCommand } from "./mask/qemu.ts";

export const maskRoutes = buildRouteMap({
  routes: { explain: explainCommand, qemu: qemuCommand },
  docs: { brief: "VMware's CPU masks: what they mean, and their QEMU flags" },
});
