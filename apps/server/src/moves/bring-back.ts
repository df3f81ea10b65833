/** VMs that left a host for its maintenance, and bringing them back. */
import { GodwitError, hasProcess, type Finding, type VmView } from "@godwit/contract";
import { awayFrom, type NextMoves } from "@godwit/placement";
import type { NewTask, Store } from "@godwit/store";
import type { Inventory } from "../inventory.ts";
import { ruleFindings } from "../pools/check-rules.ts";
import { checkVm } from "./check-vm.ts";
import { decideMoves } from "./evacuate.ts";
import { moveRequest } from "./move-request.ts";

/** Those that its last emptying has moved, and that still are where they went. */
export async function vmsAway({ store }: { store: Store }, host: string): Promise<VmView[]> {
  const last = await store.tasks.newest("host.enterMaintenance", host);
  if (last === null) return [];
  return awayFrom(await store.tasks.childrenOf(last.id), await store.vms.list());
}

/** One that may not move back, or is busy, stays where it is. @throws DATABASE_UNAVAILABLE */
export async function bringBack<T>(
  services: Inventory,
  vm: VmView,
  { to, maxOutageMs }: { to: string; maxOutageMs?: number | undefined },
  start: (task: Pick<NewTask, "kind" | "request">) => Promise<T>,
): Promise<T | { reason: string }> {
  try {
    const { findings, runtime, postcopyRecovers } = await checkVm(services, vm, to);
    const all = [...findings, ...(await ruleFindings(services, vm, to))];
    const [first] = all.filter(({ severity }) => severity === "error");
    if (first !== undefined) return { reason: first.message };
    return await start(moveRequest(vm, runtime, to, { maxOutageMs }, postcopyRecovers));
  } catch (error) {
    if (!GodwitError.is(error) || error.code === "DATABASE_UNAVAILABLE") throw error;
    return { reason: error.message };
  }
}

/**
 * Where each VM of a host would go if all of them went now, and which could go nowhere. One with a task of its own is left
 * to the emptying, which waits for it.
 * @param withStopped also VMs that do not run
 * @throws HOST_UNREACHABLE
 */
export async function evacuationOf(
  { store, hosts }: Inventory,
  host: string,
  { withStopped }: { withStopped: boolean },
): Promise<NextMoves & { busy: VmView[] }> {
  const subjects = new Set((await store.tasks.unfinished()).map(({ subject }) => subject.id));
  const here = (await store.vms.list()).filter((vm) => vm.host === host && (withStopped || hasProcess(vm)));
  const movers = here
    .filter(({ id }) => !subjects.has(id))
    .map((vm) => ({ vm, live: hasProcess(vm), failedAt: [] }));
  const next = await decideMoves({ store, hosts }, host, movers, { free: Infinity, perTarget: Infinity });
  return { ...next, busy: here.filter(({ id }) => subjects.has(id)) };
}

/** Of each VM that runs on the host and could move nowhere, with all others on their way: why. @throws HOST_UNREACHABLE */
export async function stuckVms(
  services: Inventory,
  host: string,
): Promise<{ id: string; vm: string; findings: Finding[] }[]> {
  const { stuck } = await evacuationOf(services, host, { withStopped: false });
  return stuck.map(({ mover: { vm }, findings }) => ({ id: vm.id, vm: vm.name, findings }));
}
