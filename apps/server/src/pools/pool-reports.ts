/** What is known of a pool when it is planned: its hosts and VMs as they were reported last, tasks under way, and its rules. */
import { isEnded } from "@godwit/contract";
import { isQuarantined, type KnownHost, type PoolReports, type PoolRule } from "@godwit/placement";
import { ownHealth } from "@godwit/requirements";
import type { PoolRow, PoolRuleRow, Store } from "@godwit/store";
import { loadsOn } from "./loads.ts";
import type { Inventory } from "../inventory.ts";

export async function poolReports(
  { store, hosts }: Inventory,
  row: PoolRow,
): Promise<PoolReports & { hosts: KnownHost[] }> {
  const [all, vms, tasks, rules, loads] = await Promise.all([
    store.hosts.list(),
    store.vms.list(),
    store.tasks.unfinished(),
    store.poolRules.list(row.name),
    loadsOn(store, row.hosts),
  ]);
  const health = ownHealth(all, Date.now());
  return {
    hosts: all
      .filter((host) => row.hosts.includes(host.name))
      .map((host) => ({
        ...{ name: host.name, maintenance: host.maintenance, facts: host.facts, load: host.load },
        unreachableReason: hosts.isUp(host.name)
          ? null
          : (host.unreachableReason ?? "its agent is not connected"),
        baseline: row.baseline,
        quarantined: isQuarantined(row.health, health.get(host.name)?.health ?? null),
      })),
    vms: vms.filter((vm) => row.hosts.includes(vm.host)),
    busy: new Set(tasks.filter((task) => !isEnded(task)).map(({ subject }) => subject.id)),
    rules: withHosts(rules, [row]),
    loads,
  };
}

/** The rules of all pools. */
export async function allRules(store: Store): Promise<PoolRule[]> {
  const rules = await store.poolRules.list(null);
  return rules.length === 0 ? [] : withHosts(rules, await store.pools.list());
}

/** A rule about every host of its pool names them. One that then names none counts for none. */
function withHosts(rules: readonly PoolRuleRow[], pools: readonly PoolRow[]): PoolRule[] {
  const hostsOf = new Map(pools.map(({ name, hosts }) => [name, hosts]));
  return rules.flatMap((rule) => {
    if (rule.terms.kind !== "maxVms" || rule.hosts.length > 0) return [rule];
    const hosts = hostsOf.get(rule.pool) ?? [];
    return hosts.length === 0 ? [] : [{ ...rule, hosts }];
  });
}

/** Where each VM runs, by its id; those on their way count where they go. */
export async function placesOfVms({ store }: Pick<Inventory, "store">): Promise<Map<string, string>> {
  // Before the VMs: one whose task ends meanwhile is there.
  const arriving = await store.tasks.arriving();
  const vms = await store.vms.list();
  return new Map([
    ...vms.flatMap((vm) =>
      vm.state === "stopped" || vm.state === "lost" ? [] : [[vm.id, vm.host] as const],
    ),
    ...arriving.flatMap(({ host, task }) =>
      task.kind === "vm.migrate" || task.kind === "vm.start" ? [[task.subject.id, host] as const] : [],
    ),
  ]);
}
