/**
 * Whether a VM's masks by name are what vSphere writes for per-VM EVC: complete, all features of one mode at 1, and
 * nothing beside them but microcode features and the numbers that go with the mode.
 */
import { distinguishesCpus } from "../evc/exposed-features.ts";
import { microcodeFeatures } from "../evc/microcode.ts";
import { qemuCpu } from "../evc/qemu-cpu.ts";
import type { EvcMode } from "../evc-modes/mode.ts";
import { evcModes } from "../evc-modes/modes.ts";
import { featureOfMaskName } from "./feature-mask.ts";
import type { Masks } from "./masks.ts";
import type { QemuMask } from "./masks-to-qemu.ts";

export interface PerVmEvc {
  readonly mode: EvcMode;
  /** Sorted. */
  readonly microcode: readonly string[];
}

/** null: they are something else. */
export function perVmEvcOf({ complete, registers, features }: Masks): PerVmEvc | null {
  if (!complete || registers.length > 0) return null;
  const is = (name: string): boolean => features.some((one) => one.name === name && one.value === 1);
  const vendor = is("cpuid.Intel") ? "intel" : is("cpuid.AMD") ? "amd" : null;
  if (vendor === null) return null;
  const bits = features.flatMap(({ name, rule, value }) => {
    const feature = featureOfMaskName(name, vendor);
    return feature === undefined ? [] : [{ feature: feature.name, rule, value }];
  });
  if (bits.some(({ rule }) => rule !== "Val")) return null;
  const shown = new Set(bits.filter(({ value }) => value === 1).map(({ feature }) => feature));
  const own = new Set(
    [...shown].filter((name) => distinguishesCpus(name) && !microcodeFeatures.includes(name)),
  );
  const mode = evcModes.find(
    (one) => one.vendor === vendor && own.symmetricDifference(new Set(one.features)).size === 0,
  );
  if (mode === undefined) return null;
  return { mode, microcode: microcodeFeatures.filter((name) => shown.has(name)) };
}

/** What QEMU is given for it: as for a VM in a pool with the mode. */
export const qemuOfPerVmEvc = ({ mode, microcode }: PerVmEvc): QemuMask => ({
  cpu: qemuCpu(mode, microcode),
  checks: [],
  findings: [],
  neverShown: mode.hidden,
});
