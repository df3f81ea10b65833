/**
 * The host that makes or reads a VM's folder: the one that was named, or the one with the most free memory
 * that sees everything. A host in maintenance takes no VMs.
 */
import { GodwitError, type VmDescription } from "@godwit/contract";
import type { Inventory } from "../inventory.ts";

/** @throws HOST_UNKNOWN, HOST_UNREACHABLE, DESTINATION_IN_MAINTENANCE, DATASTORE_UNKNOWN, NETWORK_UNKNOWN */
export async function chooseHost(
  { store, hosts }: Inventory,
  needs: Pick<VmDescription, "datastore" | "nics">,
  named: string | undefined,
): Promise<string> {
  const all = await store.hosts.list();
  const asked = named === undefined ? all : [await store.hosts.show(named)];
  const candidates = asked.filter(({ maintenance }) => maintenance === "off");
  const [closed] = asked;
  if (candidates.length === 0 && closed !== undefined) {
    throw GodwitError.of("DESTINATION_IN_MAINTENANCE", { host: closed.name });
  }
  const up = candidates.flatMap((row) =>
    row.facts !== null && hosts.isUp(row.name)
      ? [{ name: row.name, facts: row.facts, availableBytes: row.load?.memory?.availableBytes ?? 0 }]
      : [],
  );
  const [first] = candidates;
  if (first === undefined) throw GodwitError.of("HOST_UNKNOWN", { host: named ?? "at all", known: [] });
  if (up.length === 0) {
    const reason = first.unreachableReason ?? "its agent is not connected";
    throw GodwitError.of("HOST_UNREACHABLE", { host: first.name, url: first.agentUrl, reason });
  }
  const withStorage = up.filter(({ facts }) => facts.datastores.some(({ name }) => name === needs.datastore));
  if (withStorage.length === 0) {
    const known = [...new Set(up.flatMap(({ facts }) => facts.datastores.map(({ name }) => name)))].sort();
    throw GodwitError.of("DATASTORE_UNKNOWN", {
      datastore: needs.datastore,
      ...(named === undefined ? {} : { host: named }),
      known,
    });
  }
  const lacking = (facts: (typeof up)[number]["facts"]) =>
    needs.nics.find(({ portGroup }) => !facts.portGroups.some(({ name }) => name === portGroup));
  const fit = withStorage
    .filter(({ facts }) => lacking(facts) === undefined)
    .sort((a, b) => b.availableBytes - a.availableBytes);
  const [best] = fit;
  if (best !== undefined) return best.name;
  const [sample] = withStorage;
  throw GodwitError.of("NETWORK_UNKNOWN", {
    network: (sample === undefined ? undefined : lacking(sample.facts))?.portGroup ?? "",
    host: sample?.name ?? "",
    known: sample?.facts.portGroups.map(({ name }) => name) ?? [],
  });
}
