/** Hosts and VMs as the decisions about EVC see them. */
import { hasProcess, type Baseline, type HostFacts, type Task, type VmView } from "@godwit/contract";
import { cpuOf, type EvcHost, type RunningVm } from "@godwit/cpu";

/** @param facts null: it does not answer */
export function evcHost(name: string, facts: HostFacts | null): EvcHost {
  const report = facts?.cpu.report ?? null;
  return {
    name,
    connected: facts !== null,
    cpu: report === null ? null : cpuOf(report, name),
    qemu: facts?.qemu ?? null,
    agentVersion: facts?.agentVersion ?? "unknown",
  };
}

/** Features are not known of a VM that was powered on before they were kept. */
export const runningVm = ({ name, config }: Pick<VmView, "name" | "config">): RunningVm => ({
  vm: name,
  features: config.cpu.features ?? null,
});

/**
 * VMs that have a process on one of the hosts, as far as is known, and those on their way there. What a VM that
 * is just being powered on will see is not known yet.
 * @param arriving tasks that bring a VM to a host
 */
export function runningVms(
  hosts: readonly string[],
  vms: readonly VmView[],
  arriving: readonly { host: string; task: Pick<Task, "kind" | "subject"> }[],
): RunningVm[] {
  const coming = new Map(
    arriving
      .filter(({ host }) => hosts.includes(host))
      .map(({ task }) => [task.subject.id, task.kind] as const),
  );
  return vms.flatMap((vm) => {
    const kind = coming.get(vm.id);
    if (kind === "vm.relocate" || kind === "vm.create") return [];
    if (kind === "vm.start") return [{ vm: vm.name, features: null }];
    return kind === "vm.migrate" || (hasProcess(vm) && hosts.includes(vm.host)) ? [runningVm(vm)] : [];
  });
}

/** VMs of a pool that were powered on with another baseline than it has now, and have no CPU of their own. */
export function pendingVms(
  pool: { hosts: readonly string[]; baseline: Baseline | null },
  vms: readonly VmView[],
): string[] {
  return vms
    .filter((vm) => hasProcess(vm) && pool.hosts.includes(vm.host))
    .filter(({ config: { cpu, cpuWish } }) => {
      if (cpuWish?.model !== undefined || cpuWish?.evcMode !== undefined) return false;
      const given = pool.baseline?.microcode.every((name) => cpu.features?.includes(name)) ?? true;
      return cpu.evcMode !== pool.baseline?.mode || !given;
    })
    .map(({ name }) => name);
}
