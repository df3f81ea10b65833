/**
 * The destination's QEMU knows the VM's CPU model and can give all that the guest may see. QEMU does not compare
 * CPUs in the migration stream: what is not refused here would silently change under the guest.
 */
import { finding, type Finding, type VmCpu } from "@godwit/contract";
import { goesWith } from "@godwit/cpu";
import { followsHost, nameOf, offers, refusedFeature } from "../cpu-features.ts";
import type { ColdRequirement, Reachable, RelocationFacts, Requirement } from "../facts.ts";

/** Of a VM that runs: all that its guest may see since it was powered on. */
export const cpu: Requirement = (facts) => {
  const { vm, source } = facts;
  // Where the model follows the host and nothing is stored, it is whatever the source gives.
  const seen = vm.cpu.features ?? (followsHost(vm) ? source.qemu.availableFeatures : []);
  return check(facts, source.name, vm.cpu, seen);
};

/** Of a VM that does not run: what its owner asks for. All else is decided by the host that powers it on. */
export const cpuAtRest: ColdRequirement = (facts) => check(facts, null, facts.vm.cpuWish ?? {}, []);

function check(
  { vm, target }: Reachable<RelocationFacts>,
  from: string | null,
  { model, add = [], remove = [] }: Partial<Pick<VmCpu, "model" | "add" | "remove">>,
  seen: readonly string[],
): Finding[] {
  const { cpuModels, version } = target.qemu;
  const definition = cpuModels.find((candidate) => candidate.name === model);
  if (model !== undefined && definition === undefined) {
    return [finding("DESTINATION_CPU_UNKNOWN", { host: target.name, model, version })];
  }
  const removed = new Set(remove.map(nameOf));
  const offered = offers(target.qemu);
  const lacking = new Set([
    ...(definition?.unavailableFeatures ?? []).map(nameOf).filter((name) => !goesWith(removed, name)),
    ...[...add, ...seen].map(nameOf).filter((name) => !offered(name)),
  ]);
  if (lacking.size === 0) return [];
  const features = [...lacking].sort();
  return [
    finding("DESTINATION_CPU_LACKS", {
      vm: vm.name,
      from,
      host: target.name,
      model: model ?? vm.cpu.model,
      features,
      lacking: features.map((name) => refusedFeature(name, target)),
    }),
  ];
}
