/** Hosts and VMs as the decisions about EVC see them. Pure. */
import type { HostFacts, VmView } from "@godwit/contract";
import { cpuOf, type EvcHost, type RunningVm } from "@godwit/cpu";

/** @param facts null: it does not answer */
export function evcHost(name: string, facts: HostFacts | null): EvcHost {
  const report = facts?.cpu.report ?? null;
  return {
    name,
    connected: facts !== null,
    cpu: report === null ? null : cpuOf(report, name),
    qemu: facts?.qemu ?? null,
    agentVersion: facts?.agentVersion ?? "unknown",
  };
}

/** Features are not known of a VM that was powered on before they were kept. */
export const runningVm = ({ name, config }: Pick<VmView, "name" | "config">): RunningVm => ({
  vm: name,
  features: config.cpu.features ?? null,
});
