/** The host of its pool that a VM starts on, or moves to, where nobody named one: the planner's choice. */
import { GodwitError, type VmView } from "@godwit/contract";
import type { Services } from "../services.ts";
import { poolReports } from "./pool-reports.ts";

/** @throws VM_NOT_IN_POOL, POOL_NO_HOST, POOL_PLAN_LATE, POOL_PLAN_FAILED, POOL_PLANS_TOO_MANY */
export async function chooseInPool(services: Services, vm: VmView): Promise<string> {
  const row = await services.store.pools.ofHost(vm.host);
  if (row === null) throw GodwitError.of("VM_NOT_IN_POOL", { vm: vm.name, host: vm.host });
  const reports = await poolReports(services, row);
  const { host, against } = await services.planner.place(row.name, { reports, vm });
  if (host === null) throw GodwitError.of("POOL_NO_HOST", { vm: vm.name, pool: row.name, reasons: against });
  return host;
}
