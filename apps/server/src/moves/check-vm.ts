/** Gathers what the requirement checks look at, measured now at both hosts, and asks them. */
import {
  GodwitError,
  isUp,
  type Finding,
  type HostFacts,
  type VmRuntime,
  type VmView,
} from "@godwit/contract";
import { checkMove, checkRelocation, type MoveFacts } from "@godwit/requirements";
import type { Inventory } from "../inventory.ts";

export interface Verdict {
  findings: Finding[];
  /** The VM's process; null when it does not run, so that the move would not be a live one. */
  runtime: VmRuntime | null;
}

/** @throws HOST_UNKNOWN; HOST_UNREACHABLE when the source does not answer; VM_NOT_RUNNING when it lost the VM */
export async function checkVm(services: Inventory, vm: VmView, to: string): Promise<Verdict> {
  const [source, destination] = await Promise.all([
    sourceFacts(services, vm.host, isUp(vm)),
    destinationFacts(services, to),
  ]);
  return judge(vm, source, destination);
}

/**
 * The old host of a VM that does not run need not answer: the files on shared storage are all there is, and
 * what it said last is good enough.
 * @throws HOST_UNREACHABLE for a live move
 */
export async function sourceFacts(
  { hosts, store }: Inventory,
  host: string,
  live: boolean,
): Promise<HostFacts | null> {
  if (live) return await hosts.of(host).freshFacts();
  return (await store.hosts.list()).find(({ name }) => name === host)?.facts ?? null;
}

/** A host as a destination, whatever is wrong with it. @throws HOST_UNKNOWN */
export async function destinationFacts(
  { hosts, store }: Inventory,
  name: string,
): Promise<MoveFacts["destination"]> {
  const takesVms = (await store.hosts.show(name)).maintenance === "off";
  const baseline = (await store.pools.ofHost(name))?.baseline ?? null;
  return await hosts
    .of(name)
    .freshFacts()
    .then(
      (facts) => ({ name, takesVms, facts, baseline }),
      (error: unknown) => ({ name, takesVms, facts: null, baseline, reason: reasonOf(error) }),
    );
}

/** Pure. @throws VM_NOT_RUNNING when the VM should run at the source and does not */
export function judge(vm: VmView, source: HostFacts | null, destination: MoveFacts["destination"]): Verdict {
  const common = { vm: vm.config, destination };
  if (!isUp(vm)) {
    // With no facts of either host the destination's silence is the only finding there can be.
    const known = source ?? destination.facts ?? ({} as HostFacts);
    return { runtime: null, findings: checkRelocation({ ...common, runtime: stopped(vm), source: known }) };
  }
  const runtime = source?.vms.find(({ id }) => id === vm.id);
  if (source === null || runtime === undefined)
    throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" });
  return { runtime, findings: checkMove({ ...common, runtime, source }) };
}

const stopped = (vm: VmView): VmRuntime => ({
  id: vm.id,
  name: vm.name,
  state: "stopped",
  pid: null,
  accelerator: null,
  startedAt: null,
  memoryMib: vm.config.memoryMib,
});

const reasonOf = (error: unknown): string =>
  GodwitError.is(error, "HOST_UNREACHABLE") ? String(error.problem.details.reason) : String(error);
