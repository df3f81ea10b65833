/** Brings the VMs that connected hosts have into the inventory: asks all of them, decides (adoption.ts), enters. */
import { GodwitError, type Vm, type VmAdoption } from "@godwit/contract";
import { leasesToRead, planAdoption, type HostHoldings, type LeaseWord } from "./adoption.ts";
import type { Services } from "./services.ts";

export async function adoptVms(services: Pick<Services, "store" | "hosts">): Promise<VmAdoption> {
  const { store, hosts } = services;
  const rows = await store.hosts.list();
  const connected = rows.filter(({ name }) => hosts.isUp(name));
  const holdings = (await Promise.all(connected.map(({ name }) => holdingsOf(services, name)))).filter(
    (one) => one !== null,
  );
  const inventory = await store.vms.list();
  const known = new Set<string>(inventory.map(({ id }) => id));
  const leases = new Map<string, LeaseWord>();
  for (const { vm, hosts: seers } of leasesToRead(holdings, known))
    leases.set(vm.id, await leaseWord(services, vm, seers));
  const plan = planAdoption(holdings, known, new Set(inventory.map(({ name }) => name)), leases);
  const registered: VmAdoption["registered"] = [];
  for (const { vm, host } of plan.register) {
    try {
      await store.vms.enter(vm, { host, state: "stopped" });
      registered.push({ name: vm.name, host });
    } catch (error) {
      if (!GodwitError.is(error, "DISK_USED_BY_VM")) throw error;
      plan.left.push({ name: vm.name, datastore: vm.datastore, host, reason: error.problem.detail });
    }
  }
  // Which of them run, the hosts report.
  for (const { host } of holdings) hosts.of(host).refresh();
  const asked = new Set(holdings.map(({ host }) => host));
  const absent = rows.map(({ name }) => name).filter((name) => !asked.has(name));
  return { registered, left: plan.left, absent };
}

/** Null: it does not answer, or its agent does not know the question. */
async function holdingsOf({ hosts }: Pick<Services, "hosts">, host: string): Promise<HostHoldings | null> {
  const link = hosts.of(host);
  try {
    // Now, and not as it was reported last.
    const [{ vms, unreadable, shared }, load] = [
      await link.agent.call("vmFolderList", {}),
      await link.freshLoad(),
    ];
    const running = load.vms.flatMap(({ id, pid }) => (pid === null ? [] : [id]));
    return { host, vms, unreadable, shared, running };
  } catch (error) {
    if (GodwitError.is(error)) return null;
    throw error;
  }
}

async function leaseWord(
  { hosts }: Pick<Services, "hosts">,
  { id, name, datastore }: Vm,
  seers: readonly string[],
): Promise<LeaseWord> {
  let unknown = "no host was asked";
  for (const seer of seers) {
    try {
      const params = { vmId: id, name, datastore };
      const { holders } = await hosts.of(seer).agent.call("vmLeaseShow", { params });
      return { holders: holders.map(({ host }) => host) };
    } catch (error) {
      if (!GodwitError.is(error)) throw error;
      unknown = error.problem.detail;
    }
  }
  return { unknown };
}
