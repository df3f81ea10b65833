/** That no other VM that runs, or is being started, has a MAC address of a VM that is to run. */
import { GodwitError, hasProcess, type TaskKind, type Vm } from "@godwit/contract";
import { macConflict } from "@godwit/placement";
import type { TaskContext } from "./task-context.ts";

/** Of two that are started at once, the one whose task was entered later is refused. @throws MAC_IN_USE */
export async function mustHaveOwnMacs<K extends TaskKind>(context: TaskContext<K>, vm: Vm): Promise<void> {
  if (vm.nics.length === 0) return;
  const { id, store } = context;
  const [vms, tasks] = await context.persist(() => Promise.all([store.vms.list(), store.tasks.unfinished()]));
  const own = tasks.findIndex((task) => task.id === id);
  const starting = new Set(
    tasks
      .slice(0, own)
      .flatMap(({ kind, subject }) =>
        kind === "vm.start" || kind === "vm.revertToSnapshot" ? [subject.id] : [],
      ),
  );
  // Those of NICs that are being added are in no VM's description yet.
  const adding = tasks.slice(0, own).flatMap((task) => {
    if (task.kind !== "vm.changeDevice" || task.request.change.what !== "addNic") return [];
    return [{ ...task.request.vm, nic: task.request.change.nic }];
  });
  const same = adding.find(
    (other) =>
      other.id !== vm.id &&
      vm.nics.some(({ mac, portGroup }) => mac === other.nic.mac && portGroup === other.nic.portGroup),
  );
  if (same !== undefined) {
    const { mac, portGroup: network } = same.nic;
    throw GodwitError.of("MAC_IN_USE", { vm: vm.name, mac, network, other: same.name, otherRuns: true });
  }
  const conflict = macConflict(
    vm,
    vms.filter((one) => hasProcess(one) || starting.has(one.id)),
  );
  if (conflict !== null) throw GodwitError.of("MAC_IN_USE", { vm: vm.name, ...conflict, otherRuns: true });
}
