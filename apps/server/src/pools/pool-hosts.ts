/** What the decisions about pools look at: hosts as they are now, and the VMs that they run. */
import { GodwitError, isUp } from "@godwit/contract";
import type { EvcHost, RunningVm } from "@godwit/cpu";
import { evcHost, runningVm } from "./evc-facts.ts";
import type { Inventory } from "../inventory.ts";

/** Hosts with what they answer now; one that does not answer is not connected. @throws HOST_UNKNOWN */
export async function evcHosts({ hosts, store }: Inventory, names: readonly string[]): Promise<EvcHost[]> {
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

/**
 * VMs that have a process on one of the hosts, as far as is known, and those on their way there. What a VM that
 * is just being powered on will see is not known yet.
 */
export async function runningVms({ store }: Inventory, hosts: readonly string[]): Promise<RunningVm[]> {
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
