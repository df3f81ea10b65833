/**
 * Which VMs that hosts and datastores have come into an inventory that does not know them. Pure. What a VM is stands in
 * its folder; where it is, its process and its lease say. A VM is left out, with the reason, where that is not known: a
 * host that has not joined yet may run it.
 */
import type { Vm, VmId } from "@godwit/contract";

/** What one connected host has. */
export interface HostHoldings {
  host: string;
  vms: Vm[];
  unreadable: { datastore: string; name: string; reason: string }[];
  /** Names of its datastores that other hosts see too. */
  shared: readonly string[];
  /** VMs with a process there. */
  running: readonly VmId[];
}

/** Who holds the lease of a VM on shared storage, or why that is not known. */
export type LeaseWord = { holders: readonly string[] } | { unknown: string };

export interface AdoptionPlan {
  register: { vm: Vm; host: string }[];
  left: { name: string; datastore: string; host: string; reason: string }[];
}

interface Found {
  vm: Vm;
  hosts: string[];
  isShared: boolean;
}

/** VMs on shared storage that nobody knows and no connected host runs: their leases must be read. */
export const leasesToRead = (holdings: readonly HostHoldings[], known: ReadonlySet<string>): Found[] =>
  foundIn(holdings, known).filter(({ vm, isShared }) => isShared && runnersOf(holdings, vm.id).length === 0);

/**
 * @param known ids in the inventory
 * @param taken names in the inventory
 */
export function planAdoption(
  holdings: readonly HostHoldings[],
  known: ReadonlySet<string>,
  taken: ReadonlySet<string>,
  leases: ReadonlyMap<string, LeaseWord>,
): AdoptionPlan {
  const plan: AdoptionPlan = { register: [], left: [] };
  const names = new Set(taken);
  for (const found of foundIn(holdings, known)) {
    const { vm } = found;
    const { name, datastore } = vm;
    const home = homeOf(found, holdings, leases.get(vm.id));
    const reason = names.has(name) ? "another VM in the inventory has its name" : home.reason;
    if (reason === null) {
      names.add(name);
      plan.register.push({ vm, host: home.host });
    } else plan.left.push({ name, datastore, host: home.host, reason });
  }
  const ids = new Set(holdings.flatMap(({ vms }) => vms.map(({ id }) => id as string)));
  for (const { host, unreadable, running } of holdings) {
    for (const one of unreadable) plan.left.push({ ...one, host });
    for (const id of running.filter((one) => !ids.has(one) && !known.has(one)))
      plan.left.push({
        name: id,
        datastore: "",
        host,
        reason: "it runs there, and no datastore has its folder",
      });
  }
  return plan;
}

/** The host that a VM is entered on. */
function homeOf(
  { vm, hosts, isShared }: Found,
  holdings: readonly HostHoldings[],
  lease: LeaseWord | undefined,
): { host: string; reason: string | null } {
  const [host = ""] = hosts;
  const runners = runnersOf(holdings, vm.id);
  const [runner] = runners;
  if (runners.length > 1) return { host, reason: `${runners.join(" and ")} have a process of it` };
  if (runner !== undefined) return { host: runner, reason: null };
  if (!isShared) {
    const others = hosts.slice(1);
    return others.length === 0
      ? { host, reason: null }
      : { host, reason: `${hosts.join(" and ")} each have a folder of the same VM: one is a copy` };
  }
  if (lease === undefined || "unknown" in lease)
    return { host, reason: `its lease cannot be read: ${lease?.unknown ?? "nobody was asked"}` };
  const connected = new Set(holdings.map((one) => one.host));
  const absent = lease.holders.filter((holder) => !connected.has(holder));
  if (absent.length > 0)
    return { host, reason: `${absent.join(" and ")} holds its lease and is not connected: it may run there` };
  return { host, reason: null };
}

/** By id, each with the hosts that see it, in order of their names. */
function foundIn(holdings: readonly HostHoldings[], known: ReadonlySet<string>): Found[] {
  const found = new Map<string, Found>();
  for (const { host, vms, shared } of [...holdings].sort((a, b) => (a.host < b.host ? -1 : 1))) {
    for (const vm of vms) {
      if (known.has(vm.id)) continue;
      const one = found.get(vm.id);
      const isShared = shared.includes(vm.datastore);
      if (one === undefined) found.set(vm.id, { vm, hosts: [host], isShared });
      else {
        one.hosts.push(host);
        one.isShared &&= isShared && one.vm.datastore === vm.datastore;
      }
    }
  }
  return [...found.values()].sort((a, b) => (a.vm.name < b.vm.name ? -1 : 1));
}

const runnersOf = (holdings: readonly HostHoldings[], id: VmId): string[] =>
  holdings.filter(({ running }) => running.includes(id)).map(({ host }) => host);
