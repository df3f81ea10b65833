/** What an agent that starts finds on its host: the QEMU processes of VMs, which it takes up as they are, and what nobody needs any more. */
import type { Vm, VmId } from "@godwit/contract";
import type { Adopted, Hypervisor } from "@godwit/hypervisor";
import { deleteTap, listTaps, releasePorts, tapName, tapsOf } from "@godwit/network";
import { deactivateStray, resumeSuspended } from "@godwit/storage";
import type { Logger } from "pino";
import { whileItLives } from "./moves/while-it-lives.ts";
import { foundState } from "./qemu/found-state.ts";
import type { Processes } from "./qemu/processes.ts";
import { reasonOf } from "./reason.ts";
import { notAnswering, type SetAside } from "./vms/set-aside.ts";

export interface FoundVms {
  /** VMs whose QEMU lives, or may live, and does not answer. */
  silent: Vm[];
  quarantined: Adopted["quarantined"];
}

/** Whatever is wrong with one VM's process concerns that VM. */
export async function findVms(
  hypervisor: Hypervisor,
  processes: Processes,
  setAside: SetAside,
  log: Logger,
): Promise<FoundVms> {
  const { processes: found, ended, unresponsive, quarantined } = await hypervisor.adopt();
  const silent = unresponsive.map(({ vm }) => vm);
  for (const process of found) {
    const { vm } = process.spec;
    try {
      const { answer } = await whileItLives(
        process,
        async (living) => (living === null ? null : await foundState(living)),
        2,
      );
      if (answer !== null) {
        processes.add(process, answer.state, answer.pauseReason);
        log.info({ vm: vm.name, pid: process.identity.pid, status: answer.status }, "VM found again");
        continue;
      }
      process.release();
      const now = await hypervisor.adoptOne(vm.id);
      ended.push(...now.ended);
      quarantined.push(...now.quarantined);
      silent.push(...now.unresponsive.map((spec) => spec.vm));
      for (const one of now.processes) {
        one.release();
        silent.push(one.spec.vm);
      }
    } catch (error) {
      log.warn({ err: error, vm: vm.name }, "a QEMU process does not tell its state");
      process.release();
      silent.push(vm);
    }
  }
  // They may run: their leases stay, and no operation on them starts until their QEMU answers or an operator has looked.
  for (const vm of silent) await setAside.add(vm, notAnswering);
  for (const { vmId, error } of quarantined) await setAside.add({ id: vmId, name: vmId }, reasonOf(error));
  for (const { spec, reason } of ended) {
    processes.addGone(spec.vm);
    log.warn({ vm: spec.vm.name, reason }, "a VM's process is gone");
  }
  return { silent, quarantined };
}

/** What a crash between two steps, or an earlier agent, has left of VMs that are not there. @param present all that may have a process here */
export async function removeStrays(
  present: readonly Vm[],
  quarantined: FoundVms["quarantined"],
  log: Logger,
): Promise<void> {
  const unknown = quarantined.map(({ vmId }) => vmId);
  await removeStrayTaps(present, unknown, log);
  await resumeSuspended().catch((error: unknown) => {
    log.warn({ err: error }, "volumes that an earlier agent left suspended could not be looked at");
  });
  for (const error of await deactivateStray(new Set([...present.map(({ id }) => id), ...unknown])))
    log.warn({ err: error }, "a volume that no VM here needs could not be deactivated");
}

/** Of a VM that nothing is known of but its id: so many NICs are thought of. */
const mostNics = 32;

async function removeStrayTaps(present: readonly Vm[], unknown: readonly VmId[], log: Logger): Promise<void> {
  const any = (vmId: VmId) => Array.from({ length: mostNics }, (_, number) => tapName(vmId, number));
  const used = new Set([...present.flatMap(tapsOf), ...unknown.flatMap(any)]);
  for (const tap of await listTaps()) {
    if (used.has(tap)) continue;
    log.info({ tap }, "stray tap removed");
    await deleteTap(tap);
    await releasePorts([tap]);
  }
}
