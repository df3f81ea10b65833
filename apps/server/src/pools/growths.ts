/** Memory that VMs get by tasks under way: it counts as theirs before their hosts report it. Pure. */
import type { Task, VmView } from "@godwit/contract";

/** The VMs with what each is to have. A smaller memory counts when it has become so. */
export function withGrowths(vms: readonly VmView[], unfinished: readonly Task[]): VmView[] {
  const wanted = new Map(
    unfinished.flatMap((task) => {
      const memoryMib = task.kind === "vm.configure" ? task.request.changes?.memoryMib : undefined;
      return memoryMib === undefined ? [] : [[task.subject.id, memoryMib] as const];
    }),
  );
  return vms.map((vm) => {
    const memoryMib = Math.max(vm.config.memoryMib, wanted.get(vm.id) ?? 0);
    return memoryMib === vm.config.memoryMib ? vm : { ...vm, config: { ...vm.config, memoryMib } };
  });
}
