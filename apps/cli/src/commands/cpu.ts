/** `godwit cpu …`: which CPUs are there, and where a VM may go. */
import { buildRouteMap } from "@stricli/core";
import { compareCommand } from "./cpu/compare.ts";
import { featuresCommand } from "./cpu/features.ts";

export const cpuRoutes = buildRouteMap({
  routes: { compare: compareCommand, features: featuresCommand },
  docs: { brief: "CPUs: report, compare, masks, EVC baselines" },
});
