/**
 * A warning, never a refusal: instructions that the source executes, the guest is not shown, and the destination
 * does not have. vSphere refuses such a move between hosts without EVC; docs/adr/0008 says why Godwit does not.
 */
import { finding } from "@godwit/contract";
import { cpuOf, executesWhenHidden, features, has } from "@godwit/cpu";
import { followsHost, refusedFeature } from "../cpu-features.ts";
import type { Requirement } from "../facts.ts";

export const cpuHidden: Requirement = ({ vm, runtime, source, target }) => {
  // An emulated guest executes only what it is shown, whatever the host has.
  if (
    vm.cpu.evcMode !== undefined ||
    runtime.accelerator !== "kvm" ||
    followsHost(vm) ||
    vm.cpu.features === undefined
  )
    return [];
  if (source.cpu.report === null || target.cpu.report === null) return [];
  const shown = new Set(vm.cpu.features);
  const from = cpuOf(source.cpu.report, source.name);
  const to = cpuOf(target.cpu.report, target.name);
  const lost = features.filter(
    (feature) =>
      !shown.has(feature.name) &&
      has(from, feature.name) === true &&
      has(to, feature.name) === false &&
      executesWhenHidden(feature, from.vendor),
  );
  if (lost.length === 0) return [];
  return [
    finding(
      "CPU_HIDDEN_FEATURES_DIFFER",
      {
        vm: vm.name,
        from: source.name,
        host: target.name,
        model: vm.cpu.model,
        features: lost.map(({ name }) => refusedFeature(name, target)),
      },
      "warning",
    ),
  ];
};
