/** Gathers what the requirement checks look at, measured now at both hosts, and asks them. */
import { GodwitError, type Finding, type HostFacts, type VmRuntime, type VmView } from "@godwit/contract";
import { checkMove, checkRelocation } from "@godwit/requirements";
import type { Services } from "../services.ts";

export interface Verdict {
  findings: Finding[];
  /** The VM's process; null when it does not run, so that the move would not be a live one. */
  runtime: VmRuntime | null;
}

/** @throws HOST_UNKNOWN; HOST_UNREACHABLE when the source does not answer; VM_NOT_RUNNING when it lost the VM */
export async function checkVm({ hosts, store }: Services, vm: VmView, to: string): Promise<Verdict> {
  const destinationFacts = hosts
    .of(to)
    .freshFacts()
    .then(
      (facts) => ({ name: to, facts }),
      (error: unknown) => ({ name: to, facts: null, reason: reasonOf(error) }),
    );
  if (vm.state === "stopped" || vm.state === "lost") {
    // The old host need not answer: the files on shared storage are all there is.
    const source = (await store.hosts.list()).find(({ name }) => name === vm.host)?.facts;
    const destination = await destinationFacts;
    const facts = source ?? destination.facts;
    if (facts === null)
      return { runtime: null, findings: checkRelocation(checked(vm, stopped(vm), emptyFacts, destination)) };
    return { runtime: null, findings: checkRelocation(checked(vm, stopped(vm), facts, destination)) };
  }
  const [source, destination] = await Promise.all([hosts.of(vm.host).freshFacts(), destinationFacts]);
  const runtime = source.vms.find(({ id }) => id === vm.id);
  if (runtime === undefined)
    throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" });
  return { runtime, findings: checkMove(checked(vm, runtime, source, destination)) };
}

type Checked = Parameters<typeof checkMove>[0];

const checked = (
  vm: VmView,
  runtime: VmRuntime,
  source: HostFacts,
  destination: Checked["destination"],
): Checked => ({ vm: vm.config, runtime, source, destination });

/** With no facts of either host the destination's silence is the only finding there can be. */
const emptyFacts = {} as HostFacts;

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
