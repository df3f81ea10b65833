/** What a VM gets when its description leaves it open, named explicitly and kept for its life. Pure. */
import type { QemuFacts, Vm, VmCpu } from "@godwit/contract";

/** Old enough to be had nearly everywhere, newest first. */
const modelsInOrder = ["Westmere-v1", "Nehalem-v1", "Penryn-v1", "Opteron_G2-v1", "qemu64-v1"];

/** @param cpu the description's own wish, if any */
export function completionDefaults(
  facts: QemuFacts,
  cpu: VmCpu | undefined,
): { machine: string; cpu: Vm["cpu"] } {
  return {
    machine: newestMachine(facts.machines),
    cpu: cpu ?? { model: bestModel(facts), add: [], remove: [] },
  };
}

function newestMachine(machines: readonly string[]): string {
  const versions = machines.flatMap((name) => {
    const match = /^pc-q35-(\d+)\.(\d+)$/.exec(name);
    return match === null ? [] : [{ name, rank: Number(match[1]) * 1000 + Number(match[2]) }];
  });
  const newest = versions.sort((a, b) => b.rank - a.rank)[0];
  if (newest === undefined) throw new TypeError("QEMU offers no versioned q35 machine");
  return newest.name;
}

function bestModel({ cpuModels }: QemuFacts): string {
  const whole = (name: string) =>
    cpuModels.some((model) => model.name === name && model.unavailableFeatures.length === 0);
  return modelsInOrder.find(whole) ?? "qemu64-v1";
}
