/**
 * The one catalogue of errors. A code never changes its meaning; sentences may get better.
 * Three outcomes are kept apart everywhere: refused (nothing was done), interrupted (undone),
 * and unknown (`OUTCOME_UNKNOWN`: look before you ask again).
 */
import { clusterErrors } from "./cluster.ts";
import { consoleErrors } from "./console.ts";
import { cpuErrors } from "./cpu.ts";
import { cpuFileErrors } from "./cpu-file.ts";
import { cpuMaskErrors } from "./cpu-mask.ts";
import { evcErrors } from "./evc.ts";
import { generalErrors } from "./general.ts";
import { maintenanceErrors } from "./maintenance.ts";
import { moveErrors } from "./move.ts";
import { packageErrors } from "./packages.ts";
import { poolErrors } from "./pool.ts";
import { vmErrors } from "./vm.ts";

export const catalogue = {
  ...generalErrors,
  ...clusterErrors,
  ...vmErrors,
  ...consoleErrors,
  ...moveErrors,
  ...maintenanceErrors,
  ...cpuErrors,
  ...cpuFileErrors,
  ...cpuMaskErrors,
  ...evcErrors,
  ...poolErrors,
  ...packageErrors,
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof catalogue)[C]["sentence"]>[0];
