/** Errors about CPU masks: masks that are not valid, that QEMU cannot follow, or that a host does not satisfy. */
import { define } from "./define.ts";

/** A bit as people look for it: `CPUID.1:ECX[26]`, and its feature's name where it has one. */
type MaskedBit = { place: string; feature: string | null };

const named = ({ place, feature }: MaskedBit): string =>
  feature === null ? `the unnamed bit ${place}` : `${feature} (${place})`;

/** vSphere has its own faults for two registers. */
const faultAt = ({ place }: MaskedBit): string =>
  place.startsWith("CPUID.1:ECX")
    ? "CpuIncompatible1ECX"
    : place.startsWith("CPUID.80000001:EDX")
      ? "CpuIncompatible81EDX"
      : "CpuIncompatible";

export const cpuMaskErrors = {
  MASK_INVALID: define<{ key: string; value: string; problem: string }>(
    400,
    "never",
    (d) => `The CPU mask ${d.key} = "${d.value}" is not valid: ${d.problem}.`,
    () => "Correct it; godwit cpu mask explain --help shows the grammar.",
  ),
  MASK_NAMES_UNKNOWN: define<{ names: { name: string; where: string | null; near: string }[] }>(
    400,
    "never",
    (d) =>
      `VMware has no such feature: ${d.names.map(({ name, where, near }) => `${name}${where === null ? "" : ` (${where})`}, probably ${near}`).join("; ")}.`,
    () => "Correct the names; godwit cpu features lists those of VMware beside QEMU's.",
  ),
  MASK_NOT_EXPRESSIBLE: define<{ mask: string; bits: string[]; reason: string }>(
    400,
    "after-fix",
    (d) =>
      `QEMU has no setting for what the mask ${d.mask} asks${d.bits.length === 0 ? "" : ` of ${d.bits.join(", ")}`}: ${d.reason}.`,
    () => "Remove it from the mask, or choose a CPU model that is what the mask asks for.",
  ),
  MASK_NEEDS_HOST: define<{ mask: string; bits: string[] }>(
    400,
    "after-fix",
    (d) =>
      `The mask ${d.mask} asks for the host's own value of ${d.bits.join(", ")}, which is not known here; the CPU model's value stays.`,
    () => "Name the host or give its CPU report.",
  ),
  MASK_PARENT_HIDDEN: define<{ feature: string; parent: string }>(
    400,
    "after-fix",
    (d) => `${d.feature} is asked for, but stays hidden, because ${d.parent}, which it needs, is hidden.`,
    (d) => `Show ${d.parent} too, or do not ask for ${d.feature}.`,
  ),
  MASK_POWER_ON_REFUSED: define<MaskedBit & { host: string; wanted: 0 | 1 }>(
    409,
    "after-fix",
    (d) =>
      `The VM's CPU mask lets it be powered on only where ${named(d)} is ${d.wanted === 1 ? "there" : "not there"}, and host ${d.host} ${d.wanted === 1 ? "does not have it" : "has it"}.`,
    () => "Power the VM on at another host, or change this bit of its mask.",
    faultAt,
  ),
  MASK_MOVE_REFUSED: define<MaskedBit & { from: string; to: string; asked: string }>(
    409,
    "after-fix",
    (d) => `The VM's CPU mask does not let it move from ${d.from} to ${d.to}: ${named(d)} ${d.asked}.`,
    () =>
      "Choose another destination, use an EVC baseline, or change this bit of the mask while the VM is off.",
    faultAt,
  ),
  MASK_ABOVE_HOST: define<{ host: string; name: string; asked: number; has: number }>(
    409,
    "after-fix",
    (d) =>
      `The VM's mask asks for ${d.name} = 0x${d.asked.toString(16)}, and host ${d.host} has only 0x${d.has.toString(16)}.`,
    (d) => `Power the VM on at a host that has ${d.name}, or lower the mask.`,
    "FeatureRequirementsNotMet",
  ),
  MASK_REQUIREMENT_UNMET: define<{
    host: string;
    name: string;
    rule: "Min" | "Match";
    asked: number;
    has: number;
  }>(
    409,
    "after-fix",
    (d) =>
      `The VM requires ${d.name} to be ${d.rule === "Min" ? "at least " : ""}0x${d.asked.toString(16)}, and host ${d.host} has 0x${d.has.toString(16)}.`,
    () => "Choose another host, or an EVC baseline that both satisfy at the VM's next power-on.",
    "FeatureRequirementsNotMet",
  ),
} as const;
