/** Two VMs with one MAC address on one network: the bridges send the frames of both to whoever spoke last. Pure. */
import type { Vm, VmView } from "@godwit/contract";

export interface MacConflict {
  mac: string;
  network: string;
  other: string;
}

/** @param others VMs that run, or may soon */
export function macConflict(
  { id, nics }: Pick<Vm, "nics"> & { id: string | null },
  others: readonly Pick<VmView, "id" | "name" | "config">[],
): MacConflict | null {
  for (const { portGroup, mac } of nics) {
    const other = others.find(
      (one) => one.id !== id && one.config.nics.some((nic) => nic.portGroup === portGroup && nic.mac === mac),
    );
    if (other !== undefined) return { mac, network: portGroup, other: other.name };
  }
  return null;
}
