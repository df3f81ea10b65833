/** All operations of `/api/v1`. */
import type { serverOperations } from "@godwit/contract";
import { openApiDocument } from "@godwit/contract/openapi";
import type { Handlers } from "@godwit/http";
import type { Services } from "../services.ts";
import { version } from "@godwit/system";
import { datastoreHandlers } from "./datastores.ts";
import { hostHandlers } from "./hosts.ts";
import { hostPowerHandlers } from "./host-power.ts";
import { imageHandlers } from "./images.ts";
import { leaseHandlers } from "./leases.ts";
import { maintenanceHandlers } from "./maintenance.ts";
import { networkHandlers } from "./networks.ts";
import { poolPlanHandlers } from "./pool-plans.ts";
import { poolBalanceHandlers } from "./pool-balance.ts";
import { poolRestartHandlers } from "./pool-restarts.ts";
import { poolUpdateHandlers } from "./pool-updates.ts";
import { poolRuleHandlers } from "./pool-rules.ts";
import { poolHandlers } from "./pools.ts";
import { taskHandlers } from "./tasks.ts";
import { vmAddressHandlers } from "./vm-addresses.ts";
import { vmAnnounceHandlers } from "./vm-announce.ts";
import { vmDeviceHandlers } from "./vm-devices.ts";
import { vmDiskHandlers } from "./vm-disks.ts";
import { vmImportHandlers } from "./vm-imports.ts";
import { uploadHandlers } from "./uploads.ts";
import { vmSnapshotHandlers } from "./vm-snapshots.ts";
import { vmLeaseHandlers } from "./vm-leases.ts";
import { vmConfigureHandlers } from "./vm-configure.ts";
import { vmCreateHandlers } from "./vm-create.ts";
import { vmMoveHandlers } from "./vm-moves.ts";
import { vmHandlers } from "./vms.ts";

export function handlers(services: Services): Handlers<typeof serverOperations> {
  let document: { openapi: string } | undefined;
  return {
    version: () => ({ name: "godwit", version }),
    apiDocument: () => (document ??= openApiDocument(version)),
    events: async ({ query, signal }) => await services.store.events.follow(signal, query.after),
    authorityShow: () => services.authority.show(),
    authorityRotate: ({ body }) => services.authority.proceed(body.without),
    ...hostHandlers(services),
    ...hostPowerHandlers(services),
    ...maintenanceHandlers(services),
    ...datastoreHandlers(services),
    ...imageHandlers(services),
    ...networkHandlers(services),
    ...poolHandlers(services),
    ...poolPlanHandlers(services),
    ...poolRuleHandlers(services),
    ...poolBalanceHandlers(services),
    ...poolRestartHandlers(services),
    ...poolUpdateHandlers(services),
    ...vmHandlers(services),
    ...vmCreateHandlers(services),
    ...vmConfigureHandlers(services),
    ...vmMoveHandlers(services),
    ...vmDeviceHandlers(services),
    ...vmDiskHandlers(services),
    ...vmSnapshotHandlers(services),
    ...uploadHandlers(services),
    ...vmAddressHandlers(services),
    ...vmAnnounceHandlers(services),
    ...vmImportHandlers(services),
    ...vmLeaseHandlers(services),
    ...taskHandlers(services),
    ...leaseHandlers(services),
  };
}
