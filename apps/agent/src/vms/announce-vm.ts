/**
 * Announces where a VM is, as after a move. Nobody else begins to work on the VM before the last announcement is sent: one that came from a
 * host which the VM has left would lead its frames there.
 */
import { GodwitError, type AnnouncedMacs, type VmId } from "@godwit/contract";
import { announcedWithinMs } from "@godwit/hypervisor";
import { sleep } from "@godwit/system";
import type { Processes } from "../qemu/processes.ts";
import type { Claims } from "./claims.ts";

export interface AnnounceParts {
  processes: Pick<Processes, "of" | "stateOf">;
  claims: Pick<Claims, "claimShort">;
}

/** @throws VM_NOT_RUNNING, VM_BUSY, QMP_REFUSED */
export async function announceVm({ processes, claims }: AnnounceParts, id: VmId): Promise<AnnouncedMacs> {
  const name = processes.of(id)?.spec.vm.name ?? id;
  using _claim = await claims.claimShort({ id, name }, "its addresses are announced");
  const process = processes.of(id);
  const state = processes.stateOf(id) ?? "not on this host";
  if (process === undefined || state !== "running")
    throw GodwitError.of("VM_NOT_RUNNING", { vm: name, state });
  const announced = process.spec.vm.nics
    .filter(({ connected }) => connected !== false)
    .map(({ mac, portGroup }) => ({ mac, portGroup }));
  if (announced.length === 0) return { announced };
  await process.migration.announce();
  await sleep(announcedWithinMs);
  return { announced };
}
