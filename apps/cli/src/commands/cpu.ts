/** `godwit cpu …`: which CPUs are there, and where a VM may go. */
import { buildRouteMap } from "@stricli/core";
import { baselineCommand } from "./cpu/baseline.ts";
import { bootImageCommand } from "./cpu/boot-image.ts";
import { compareCommand } from "./cpu/compare.ts";
import { evcRoutes } from "./cpu/evc.ts";
import { featuresCommand } from "./cpu/features.ts";
import { maskRoutes } from "./cpu/mask.ts";
import { reportCommand } from "./cpu/report.ts";
import { summaries } from "../summaries.ts";

export const cpuRoutes = buildRouteMap({
  routes: {
    "boot-image": bootImageCommand,
    baseline: baselineCommand,
    compare: compareCommand,
    evc: evcRoutes,
    report: reportCommand,
    features: featuresCommand,
    mask: maskRoutes,
  },
  docs: { brief: summaries.cpu.brief },
});
