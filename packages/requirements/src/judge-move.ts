/** A VM as the inventory has it, and two hosts as they reported: what a move would be refused for, and whether it is a live one. */
import {
  finding,
  GodwitError,
  hasProcess,
  type ClockReading,
  type Finding,
  type HostFacts,
  type HostLoad,
  type VmRuntime,
  type VmView,
} from "@godwit/contract";
import { checkMove, checkRelocation } from "./check-move.ts";
import type { Destination } from "./facts.ts";

/** The host that a VM is to leave; null what it did not report. */
export interface Source {
  facts: HostFacts | null;
  load: HostLoad | null;
  clock?: ClockReading;
}

export interface Verdict {
  findings: Finding[];
  /** The VM's process; null when it does not run, so that the move would not be a live one. */
  runtime: VmRuntime | null;
}

/**
 * @param carryTo the destination's datastore that the VM's disks are to move to, which they do while it runs; absent: both hosts see them
 * @throws VM_NOT_RUNNING when the VM should run at the source and does not
 */
export function judgeMove(vm: VmView, source: Source, destination: Destination, carryTo?: string): Verdict {
  const common = { vm: vm.config, destination, ...(carryTo === undefined ? {} : { carryTo }) };
  if (!hasProcess(vm)) {
    const stopped = finding("VM_NOT_RUNNING", { vm: vm.name, state: vm.state });
    const findings = checkRelocation({ ...common, source: source.facts });
    return { runtime: null, findings: carryTo === undefined ? findings : [stopped, ...findings] };
  }
  const runtime = source.load?.vms.find(({ id }) => id === vm.id);
  if (source.facts === null || runtime === undefined)
    throw GodwitError.of("VM_NOT_RUNNING", { vm: vm.name, state: "gone from its host" });
  return {
    runtime,
    findings: checkMove({
      ...{ ...common, runtime, source: source.facts, sourceLoad: source.load },
      ...(source.clock === undefined ? {} : { sourceClock: source.clock }),
    }),
  };
}
