/**
 * The one catalogue of errors. A code never changes its meaning; sentences may get better.
 * Three outcomes are kept apart everywhere: refused (nothing was done), interrupted (undone),
 * and unknown (`OUTCOME_UNKNOWN`: look before you ask again).
 */
import { clockErrors } from "./clock.ts";
import { cloudInitErrors } from "./cloud-init.ts";
import { consoleErrors } from "./console.ts";
import { cpuErrors } from "./cpu.ts";
import { cpuFileErrors } from "./cpu-file.ts";
import { cpuMaskErrors } from "./cpu-mask.ts";
import { datastoreErrors } from "./datastore.ts";
import { deviceErrors } from "./device.ts";
import { deviceChangeErrors } from "./device-change.ts";
import { evcErrors } from "./evc.ts";
import { firmwareErrors } from "./firmware.ts";
import { generalErrors } from "./general.ts";
import { hostErrors } from "./host.ts";
import { imageErrors } from "./image.ts";
import { imageLibraryErrors } from "./image-library.ts";
import { exportErrors } from "./export.ts";
import { importErrors } from "./import.ts";
import { leaseErrors } from "./lease.ts";
import { maintenanceErrors } from "./maintenance.ts";
import { migrationNetworkErrors } from "./migration-network.ts";
import { moveErrors } from "./move.ts";
import { networkErrors } from "./network.ts";
import { packageErrors } from "./packages.ts";
import { poolErrors } from "./pool.ts";
import { powerErrors } from "./power.ts";
import { qemuRenewalErrors } from "./qemu-renewal.ts";
import { poolRuleErrors } from "./pool-rule.ts";
import { poolUpdateErrors } from "./pool-update.ts";
import { relocationErrors } from "./relocation.ts";
import { serverErrors } from "./server.ts";
import { snapshotErrors } from "./snapshot.ts";
import { suspensionErrors } from "./suspension.ts";
import { switchErrors } from "./switch.ts";
import { taskErrors } from "./task.ts";
import { hostDeviceErrors } from "./host-device.ts";
import { guestMemoryErrors } from "./guest-memory.ts";
import { tpmErrors } from "./tpm.ts";
import { uploadErrors } from "./upload.ts";
import { versionErrors } from "./version.ts";
import { vmErrors } from "./vm.ts";

export const catalogue = {
  ...generalErrors,
  ...serverErrors,
  ...hostErrors,
  ...powerErrors,
  ...clockErrors,
  ...datastoreErrors,
  ...networkErrors,
  ...switchErrors,
  ...leaseErrors,
  ...taskErrors,
  ...vmErrors,
  ...imageErrors,
  ...imageLibraryErrors,
  ...exportErrors,
  ...importErrors,
  ...relocationErrors,
  ...snapshotErrors,
  ...suspensionErrors,
  ...uploadErrors,
  ...deviceErrors,
  ...deviceChangeErrors,
  ...firmwareErrors,
  ...guestMemoryErrors,
  ...hostDeviceErrors,
  ...tpmErrors,
  ...cloudInitErrors,
  ...consoleErrors,
  ...moveErrors,
  ...migrationNetworkErrors,
  ...maintenanceErrors,
  ...qemuRenewalErrors,
  ...cpuErrors,
  ...cpuFileErrors,
  ...cpuMaskErrors,
  ...evcErrors,
  ...poolErrors,
  ...poolRuleErrors,
  ...poolUpdateErrors,
  ...packageErrors,
  ...versionErrors,
} as const;

export type ErrorCode = keyof typeof catalogue;
export type ErrorDetails<C extends ErrorCode> = Parameters<(typeof catalogue)[C]["sentence"]>[0];
