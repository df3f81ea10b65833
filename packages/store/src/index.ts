/** The server's memory: PostgreSQL, its schema, and what is kept there. */
export { sourceOn, type DatastoreRow, type EnteredDatastore, type SealedSecret } from "./datastores.ts";
export type { HostAccessRow } from "./host-access.ts";
export { dumpDatabase, loadDatabase } from "./dump.ts";
export type { SeenHost } from "./host-reports.ts";
export { powerOf, type HostPowerRow } from "./host-power.ts";
export type { HostRow, HostSummaryRow } from "./host-rows.ts";
export type { LeaseQuestioner, StoredLease } from "./leases.ts";
export type { NetworkRow } from "./networks.ts";
export type { PoolRoundRow } from "./pool-rounds.ts";
export type { PoolRuleRow } from "./pool-rules.ts";
export type { PoolRow } from "./pools.ts";
export { PrivatePostgres, privateConnection } from "./private-postgres.ts";
export { settleRestored, type RestoredState } from "./restored.ts";
export { ServerLock } from "./server-lock.ts";
export { switchOn, type SwitchRow } from "./switches.ts";
export { Store } from "./store.ts";
export type { NewTask, TaskChange } from "./tasks.ts";
export type { Place, ReportedVm } from "./vms.ts";
