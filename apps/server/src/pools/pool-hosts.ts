/** What the decisions about pools look at: hosts as they are now, and the VMs that they run. */
import { GodwitError } from "@godwit/contract";
import type { EvcHost, RunningVm } from "@godwit/cpu";
import { evcHost, runningVms } from "@godwit/requirements";
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

/** VMs that run on one of the hosts, as far as is known, and those on their way there. */
export async function vmsOn({ store }: Inventory, hosts: readonly string[]): Promise<RunningVm[]> {
  const [vms, arriving] = await Promise.all([store.vms.list(), store.tasks.arriving()]);
  return runningVms(hosts, vms, arriving);
}
