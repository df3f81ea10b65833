/** Chooses the host that makes or reads a VM's folder, by what hosts reported last. */
import { chooseHost, type Needs } from "@godwit/placement";
import { allRules } from "../pools/pool-reports.ts";
import type { Inventory } from "../inventory.ts";

/** @throws HOST_UNKNOWN, HOST_UNREACHABLE, DESTINATION_IN_MAINTENANCE, DATASTORE_UNKNOWN, DATASTORE_UNAVAILABLE, NETWORK_UNKNOWN, NETWORK_WITHOUT_BRIDGE */
export async function chooseKnownHost(
  { store, hosts }: Inventory,
  needs: Needs,
  named: string | undefined,
): Promise<string> {
  const rows = named === undefined ? await store.hosts.list() : [await store.hosts.show(named)];
  const candidates = rows.map(({ name, agentUrl, maintenance, facts, load, unreachableReason }) => ({
    name,
    agentUrl,
    takesVms: maintenance === "off",
    unreachableReason: hosts.isUp(name) ? null : (unreachableReason ?? "its agent is not connected"),
    report: facts === null || load === null ? null : { facts, load },
  }));
  return chooseHost(candidates, needs, named, named === undefined ? await allRules(store) : []);
}
