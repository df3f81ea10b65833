/** What the decisions about pools look at: hosts as they are now, and the VMs that they run. */
import { GodwitError, type HostFacts, type VmView } from "@godwit/contract";
import { cpuOf, type EvcHost, type RunningVm } from "@godwit/cpu";
import { isUp } from "../moves/check-vm.ts";
import type { Services } from "../services.ts";

type Known = Pick<Services, "hosts" | "store">;

/** Hosts with what they answer now; one that does not answer is not connected. @throws HOST_UNKNOWN */
export async function evcHosts({ hosts, store }: Known, names: readonly string[]): Promise<EvcHost[]> {
  return await Promise.all(
    names.map(async (name) => {
      await store.hosts.show(name);
      const facts = await hosts
        .of(name)
        .freshFacts()
        .catch((error: unknown) => {
          if (GodwitError.is(error, "HOST_UNREACHABLE")) return null;
          throw error;
        });
      return evcHost(name, facts);
    }),
  );
}

/** Pure. @param facts null: it does not answer */
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

/**
 * VMs that have a process on one of the hosts, as far as is known, and those on their way there. What a VM that
 * is just being powered on will see is not known yet.
 */
export async function runningVms({ store }: Known, hosts: readonly string[]): Promise<RunningVm[]> {
  const [vms, arriving] = await Promise.all([store.vms.list(), store.tasks.arriving()]);
  const coming = new Map(
    arriving
      .filter(({ host }) => hosts.includes(host))
      .map(({ task }) => [task.subject.id, task.kind] as const),
  );
  return vms.flatMap((vm) => {
    const kind = coming.get(vm.id);
    if (kind === "vm.relocate" || kind === "vm.create") return [];
    if (kind === "vm.start") return [{ vm: vm.name, features: null }];
    return kind === "vm.migrate" || (isUp(vm) && hosts.includes(vm.host)) ? [runningVm(vm)] : [];
  });
}

/** Features are not known of a VM that was powered on before they were kept. */
export const runningVm = ({ name, config }: Pick<VmView, "name" | "config">): RunningVm => ({
  vm: name,
  features: config.cpu.features ?? null,
});
