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
  const conflict = macConflict(
    vm,
    vms.filter((one) => hasProcess(one) || starting.has(one.id)),
  );
  if (conflict !== null) throw GodwitError.of("MAC_IN_USE", { vm: vm.name, ...conflict, otherRuns: true });
}
