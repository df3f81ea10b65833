/**
 * The guest sees no more than the EVC mode of the destination's pool: in a pool every VM can go to every host, and
 * one that sees more would not be able to.
 */
import { finding } from "@godwit/contract";
import { beyond, evcModeNamed } from "@godwit/cpu";
import { followsHost } from "../cpu-features.ts";
import type { Requirement } from "../facts.ts";

export const cpuBaseline: Requirement = ({ vm, source, target, destination }) => {
  const { baseline } = destination;
  if (baseline == null) return [];
  const mode = evcModeNamed(baseline.mode);
  const details = { vm: vm.name, from: source.name, host: target.name, mode: baseline.mode };
  const seen = vm.cpu.features ?? (followsHost(vm) ? source.qemu.availableFeatures : null);
  // Powered on before its features were kept: nobody knows whether it fits.
  if (seen === null) return [finding("DESTINATION_BASELINE_UNDECIDED", details)];
  const features = beyond(seen, mode, baseline.microcode);
  return features.length === 0 ? [] : [finding("DESTINATION_BASELINE_EXCEEDED", { ...details, features })];
};
