/**
 * Work on a VM at rest, which ends when this host has lost the VM's lease: another host may run the VM then, and remove what was being made. Only
 * what is known to be lost ends it: a look that fails is no fact, and where sanlock itself is gone the watchdog resets the host.
 */
import { GodwitError, type Vm } from "@godwit/contract";
import type { Leases } from "../leases/leases.ts";

/** sanlock tells the agent nothing of a lease that it gives up. A lost one is another host's only a minute later. */
const lookEveryMs = 5000;

export interface WhileLeasedParts {
  leases: Pick<Leases, "isOnDisk" | "isHeldOnDisk">;
  host: string;
  everyMs?: number;
}

/** @param work ends, with the signal's reason, when the signal is aborted. @throws LEASE_NOT_HELD and what `work` throws */
export async function whileLeased<T>(
  { leases, host, everyMs = lookEveryMs }: WhileLeasedParts,
  vm: Vm,
  work: (lost: AbortSignal) => Promise<T>,
): Promise<T> {
  const lost = new AbortController();
  if (!leases.isOnDisk(vm)) return await work(lost.signal);
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    const isHeld = await leases.isHeldOnDisk(vm).catch(() => true);
    looking = false;
    if (!isHeld) lost.abort(GodwitError.of("LEASE_NOT_HELD", { vm: vm.name, host }));
  };
  const timer = setInterval(() => void look(), everyMs);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(timer);
  }
}
