/** The server's API, `/api/v1`: one file a noun. The API document lists them in this order. */
import { authorityOperations } from "./authority.ts";
import { consoleOperations } from "./consoles.ts";
import { datastoreOperations } from "./datastores.ts";
import { imageOperations } from "./images.ts";
import { networkOperations } from "./networks.ts";
import { eventOperations } from "./events.ts";
import { hostSummaryOperations } from "./host-summaries.ts";
import { hostOperations } from "./hosts.ts";
import { hostPowerOperations } from "./host-power.ts";
import { leaseOperations, vmLeaseOperations } from "./leases.ts";
import type { Operations } from "./operation.ts";
import { poolOperations } from "./pools.ts";
import { taskOperations } from "./tasks.ts";
import { versionOperations } from "./version.ts";
import { vmAddressOperations } from "./vm-addresses.ts";
import { vmDeviceOperations } from "./vm-devices.ts";
import { vmDiskOperations } from "./vm-disks.ts";
import { vmImportOperations } from "./vm-imports.ts";
import { vmSnapshotOperations } from "./vm-snapshots.ts";
import { vmSummaryOperations } from "./vm-summaries.ts";
import { vmOperations } from "./vms.ts";

export const serverOperations = {
  ...versionOperations,
  ...authorityOperations,
  ...hostOperations,
  ...hostPowerOperations,
  ...hostSummaryOperations,
  ...datastoreOperations,
  ...imageOperations,
  ...networkOperations,
  ...poolOperations,
  ...vmOperations,
  ...vmDeviceOperations,
  ...vmDiskOperations,
  ...vmImportOperations,
  ...vmSnapshotOperations,
  ...vmSummaryOperations,
  ...vmAddressOperations,
  ...vmLeaseOperations,
  ...consoleOperations,
  ...taskOperations,
  ...eventOperations,
  ...leaseOperations,
} as const satisfies Operations;
