/**
 * A host that sees a VM's folder, where the host that the VM was on last is away or removed. Names are not enough: a
 * host-local datastore, and a folder on it, may be called alike on every host. Each is asked to read the folder, and
 * the VM's id in it decides.
 */
import { GodwitError, type VmView } from "@godwit/contract";
import type { Inventory } from "../inventory.ts";

/**
 * The one with the most memory available comes first, those that take VMs before all others.
 * @param only the host that was asked for
 * @throws VM_FOLDER_NOT_FOUND
 */
export async function hostWithFolder(
  { store, hosts }: Inventory,
  vm: VmView,
  only?: string,
): Promise<string> {
  const { name, datastore } = vm.config;
  const candidates = (await store.hosts.list())
    .filter((host) => only === undefined || host.name === only)
    .filter(
      (host) =>
        hosts.isUp(host.name) && host.facts?.datastores.some((one) => one.name === datastore) === true,
    )
    .map((host) => ({ ...host, bytes: host.load?.memory?.availableBytes ?? -1 }))
    .sort((a, b) => Number(b.maintenance === "off") - Number(a.maintenance === "off") || b.bytes - a.bytes);
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const link = hosts.of(candidate.name);
    try {
      const found = await link.agent.call("vmRead", { params: { datastore, name } });
      if (found.id === vm.id) return candidate.name;
      reasons.push(`${candidate.name} has another VM of that name there`);
    } catch (error) {
      const seen = link.unreachable(error);
      if (!GodwitError.is(seen)) throw seen;
      reasons.push(
        seen.code === "VM_UNKNOWN"
          ? `it is not on that of ${candidate.name}`
          : seen.message.replace(/\.$/, ""),
      );
    }
  }
  const reason = reasons.length === 0 ? "no host that has the datastore is connected" : reasons.join("; ");
  throw GodwitError.of("VM_FOLDER_NOT_FOUND", { vm: vm.name, datastore, host: vm.host, reason });
}
