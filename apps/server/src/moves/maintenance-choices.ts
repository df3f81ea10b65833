/** What is asked of an emptying, as its task keeps it. */
import { GodwitError, type MaintenanceBody, type TaskRequest } from "@godwit/contract";
import type { Inventory } from "../inventory.ts";

/** @throws VM_UNKNOWN, MAINTENANCE_VM_ELSEWHERE for a VM that is not on the host */
export async function emptyingRequest(
  { store }: Pick<Inventory, "store">,
  host: string,
  body: MaintenanceBody,
  nowMs = Date.now(),
): Promise<TaskRequest<"host.enterMaintenance">> {
  const { concurrency, maxOutageMs, cannotMove, vms = [], deadlineSeconds, graceSeconds } = body;
  const chosen = await Promise.all(
    vms.map(async (one) => {
      const { id, name, host: on } = await store.vms.show(one.vm);
      if (on !== host) throw GodwitError.of("MAINTENANCE_VM_ELSEWHERE", { host, vm: name, on });
      return { id, name, cannotMove: one.cannotMove };
    }),
  );
  return {
    ...{ host, concurrency, maxOutageMs, cannotMove, graceSeconds },
    ...(chosen.length === 0 ? {} : { vms: chosen }),
    ...(deadlineSeconds === undefined
      ? {}
      : { deadlineAt: new Date(nowMs + deadlineSeconds * 1000).toISOString() }),
  };
}
