/**
 * The machine type of a new VM that is given none: the newest that all hosts know to which it could move, so that a host
 * with a newer QEMU does not keep the VMs that happen to be made on it. Pure.
 */
import { datastoresOf, newestMachine, type HostFacts, type VmDescription } from "@godwit/contract";

interface Known {
  name: string;
  /** Null before its first report. */
  facts: Pick<HostFacts, "datastores" | "qemu"> | null;
}

/** @param on the host that makes the VM. @returns undefined: that host chooses, since too little is known */
export function commonMachine(
  hosts: readonly Known[],
  on: string,
  { machine, datastore, disks }: Pick<VmDescription, "machine" | "datastore" | "disks">,
): string | undefined {
  if (machine !== undefined) return machine;
  const needed = datastoresOf({ datastore, disks });
  const maker = hosts.find(({ name }) => name === on)?.facts;
  if (maker == null) return undefined;
  const others = hosts.flatMap(({ name, facts }) => {
    const isReachable = facts !== null && needed.every((one) => isSame(maker, facts, one));
    return isReachable && name !== on ? [facts.qemu.machines] : [];
  });
  return newestMachine([maker.qemu.machines, ...others]) ?? undefined;
}

/** Whether two hosts see the same shared storage under a name. */
function isSame(a: Pick<HostFacts, "datastores">, b: Pick<HostFacts, "datastores">, name: string): boolean {
  const of = ({ datastores }: Pick<HostFacts, "datastores">) => datastores.find((one) => one.name === name);
  const [here, there] = [of(a), of(b)];
  return here?.shared === true && there?.shared === true && here.id !== null && here.id === there.id;
}
