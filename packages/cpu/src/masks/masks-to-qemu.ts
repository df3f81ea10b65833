/**
 * Masks as changes of a QEMU CPU model. QEMU's model stands where VMware has the host's default: a bit that no
 * mask speaks of stays as the model has it. What QEMU cannot be told is a finding, never left out silently;
 * what a mask asks of hosts (T, F, H, R) is a check for whoever starts and moves the VM.
 */
import { finding, type Finding, type VmCpu } from "@godwit/contract";
import type { CpuFeature } from "../features/feature.ts";
import { features } from "../features/features.ts";
import type { Cpu } from "../cpuid/cpu.ts";
import { bitOfCpu, bitPlace, featureAt, type Bit } from "./apply-masks.ts";
import { ChangedModel } from "./changed-model.ts";
import { featureMaskPrefix, featureOfMaskName, maskVendorOf } from "./feature-mask.ts";
import { maskMeanings, type MaskCharacter } from "./mask-character.ts";
import { layerOf, placeOfKey, registerKey } from "./mask-layer.ts";
import { unknownMaskNames } from "./mask-names.ts";
import type { Masks } from "./masks.ts";
import { registerMaskKey, type MaskVendor, type RegisterPlace } from "./register-mask.ts";

export interface QemuMaskContext {
  /** The host whose own values `H` means, and whose vendor the guest sees under KVM. */
  readonly host?: Cpu;
  /** What the base model has on by itself; where it is known, changes that change nothing are left out. */
  readonly modelFeatures?: ReadonlySet<string>;
  /** Like `7.2.22`; default: the oldest that Godwit supports. */
  readonly qemuVersion?: string;
}

/** What a mask asks of the hosts that are to run the VM. */
export interface MaskCheck {
  readonly place: string;
  readonly feature: string | null;
  /** What the bit must be where the VM is powered on; null: anything. */
  readonly powerOn: 0 | 1 | null;
  readonly move: "equal" | 0 | 1;
}

export interface QemuMask {
  readonly cpu: VmCpu;
  readonly checks: readonly MaskCheck[];
  readonly findings: readonly Finding[];
  /** Masked bits that no QEMU shows anyway. */
  readonly neverShown: readonly string[];
}

/** A bit that a mask speaks of. */
interface Ask {
  readonly place: RegisterPlace;
  readonly bit: number;
  readonly feature: CpuFeature | undefined;
  /** What the guest is to see; null: what its host has, and no host is known. */
  readonly want: Bit;
}

/** @param base model with its own changes, over which the masks lie */
export function maskToQemu(masks: Masks, base: VmCpu, context: QemuMaskContext = {}): QemuMask {
  const vendor =
    (context.host === undefined ? null : maskVendorOf(context.host.vendor)) ?? vendorOfModel(base.model);
  const bits = [...layerOf(masks, vendor)].flatMap(([key, characters]) =>
    characters.flatMap((character, bit) =>
      character === "-" ? [] : [{ place: placeOfKey(key), bit, character }],
    ),
  );
  const asks = bits.flatMap((one) => asked(one, context.host));
  const model = new ChangedModel(base, context);
  for (const { feature, want } of asks) {
    const given = want === 0 || !notUnderKvm.has(feature?.name ?? "");
    if (feature !== undefined && want !== null && !feature.runtime && model.knows(feature) && given) {
      model.set(feature.name, want === 1);
    }
  }
  const orphans = model.hideDependents();
  const problems = new Problems();
  const neverShown: string[] = [];
  for (const ask of asks) {
    const outcome = outcomeOf(ask, model, vendor);
    if (outcome === "never-shown") neverShown.push(nameOf(ask));
    else if (outcome !== "as-asked") problems.add(ask, outcome);
  }
  return {
    cpu: model.flags(),
    checks: bits.flatMap(checkOf),
    findings: [...problems.findings(), ...orphans, ...valueMaskFindings(masks, vendor)],
    neverShown,
  };
}

/** The vendor that a guest of this model sees where no host is known: under KVM it is the host's. */
const vendorOfModel = (model: string): MaskVendor =>
  /^(?:EPYC|Opteron|phenom|athlon|Dhyana|qemu64|qemu32)/i.test(model) ? "amd" : "intel";

interface MaskedCharacter {
  readonly place: RegisterPlace;
  readonly bit: number;
  readonly character: Exclude<MaskCharacter, "-">;
}

function asked({ place, bit, character }: MaskedCharacter, host: Cpu | undefined): Ask[] {
  if (character === "X") return [];
  const { guest, powerOn } = maskMeanings[character];
  const own = host === undefined ? null : bitOfCpu(host, place, bit);
  return [{ place, bit, feature: featureAt(place, bit), want: guest === "host" ? (powerOn ?? own) : guest }];
}

function checkOf({ place, bit, character }: MaskedCharacter): MaskCheck[] {
  const { powerOn, move } = maskMeanings[character];
  const feature = featureAt(place, bit)?.name ?? null;
  return move === null ? [] : [{ place: bitPlace(place, bit), feature, powerOn, move }];
}

/** Whether the guest sees what is asked, and where not, why. */
type Outcome = "as-asked" | "never-shown" | "needs-host" | { reason: string; severity?: "warning" };

function outcomeOf(ask: Ask, model: ChangedModel, vendor: MaskVendor): Outcome {
  const { place, feature, want } = ask;
  if (want === null) return "needs-host";
  if (!registersOfFeatures.has(registerKey(place))) {
    return { reason: "it is part of a number or a name, which the CPU model brings" };
  }
  if (feature?.runtime === true) {
    return { reason: "it tells what the guest's own operating system has switched on" };
  }
  const source = feature?.impliedBy ?? repeatedBit(ask, vendor)?.name;
  if (source !== undefined) {
    const shown = model.has(source) && (feature === undefined || !model.hides(feature.name));
    if (shown === (want === 1)) return "as-asked";
    return {
      reason: `QEMU shows it ${want === 1 ? "only together with" : "wherever it shows"} ${source}`,
    };
  }
  if (want === 1 && feature !== undefined && notUnderKvm.has(feature.name))
    return { reason: "KVM does not show it to guests", severity: "warning" };
  if (feature !== undefined && model.knows(feature)) return "as-asked";
  if (want === 0) return "never-shown";
  return {
    reason:
      feature?.qemuSince == null
        ? "QEMU has no name for it"
        : `QEMU ${model.qemuVersion} does not know it; QEMU ${feature.qemuSince} does`,
  };
}

/** VMware shows them; QEMU has names for them, and does not start with them under KVM. */
const notUnderKvm: ReadonlySet<string> = new Set(["ds", "monitor"]);

const registersOfFeatures = new Set(features.map(registerKey));

/** AMD repeats bits of leaf 1's EDX in 0x80000001; QEMU does so by itself. */
function repeatedBit({ place, bit, feature }: Ask, vendor: MaskVendor): CpuFeature | undefined {
  const repeats =
    vendor === "amd" && feature === undefined && place.leaf === 0x80000001 && place.register === "edx";
  return repeats ? featureAt({ leaf: 1, subleaf: 0, register: "edx" }, bit) : undefined;
}

const nameOf = ({ place, bit, feature }: Ask): string =>
  feature === undefined ? bitPlace(place, bit) : `${feature.name} (${bitPlace(place, bit)})`;

/** What cannot be done, one finding for each register and reason. */
class Problems {
  readonly #byReason = new Map<string, Problem>();

  add(ask: Ask, outcome: "needs-host" | { reason: string; severity?: "warning" }): void {
    const mask = registerMaskKey({ ...ask.place, vendor: null });
    const reason = outcome === "needs-host" ? null : outcome.reason;
    const key = JSON.stringify([mask, reason]);
    const severity = outcome === "needs-host" ? "warning" : (outcome.severity ?? "error");
    const known = this.#byReason.get(key) ?? { mask, reason, bits: [], severity };
    known.bits.push(nameOf(ask));
    this.#byReason.set(key, known);
  }

  findings(): Finding[] {
    return [...this.#byReason.values()].map(({ mask, reason, bits, severity }) =>
      reason === null
        ? finding("MASK_NEEDS_HOST", { mask, bits }, "warning")
        : finding("MASK_NOT_EXPRESSIBLE", { mask, bits, reason }, severity),
    );
  }
}

interface Problem {
  readonly mask: string;
  /** null: the host's own value is not known. */
  readonly reason: string | null;
  readonly bits: string[];
  readonly severity: "error" | "warning";
}

/** Masks by name of what is no single bit: QEMU's model brings the numbers, and the vendor is not ours to choose. */
function valueMaskFindings({ features: masks }: Masks, vendor: MaskVendor): Finding[] {
  const unknown = unknownMaskNames(masks.map(({ name }) => name)).map(({ name }) => name);
  const numbers: string[] = [];
  const findings: Finding[] = [];
  for (const { name, rule, value } of masks) {
    if (featureOfMaskName(name, vendor) !== undefined || unknown.includes(name)) continue;
    if (name !== "cpuid.Intel" && name !== "cpuid.AMD") {
      numbers.push(name);
      continue;
    }
    const has = Number(name.toLowerCase() === `cpuid.${vendor}`);
    const holds = rule === "Max" ? has <= value : rule === "Min" ? has >= value : has === value;
    if (!holds) {
      const reason = `the guest sees ${vendor === "amd" ? "an AMD" : "an Intel"} CPU`;
      findings.push(finding("MASK_NOT_EXPRESSIBLE", { mask: featureMaskPrefix + name, bits: [], reason }));
    }
  }
  if (unknown.length > 0) {
    const reason = "VMware's list of CPUID fields has no such name, and nothing was done for it";
    const details = { mask: `${featureMaskPrefix}…`, bits: unknown, reason };
    findings.push(finding("MASK_NOT_EXPRESSIBLE", details, "warning"));
  }
  if (numbers.length === 0) return findings;
  const reason = "these are no single bits of CPUID, and are as the CPU model has them";
  return [
    ...findings,
    finding("MASK_NOT_EXPRESSIBLE", { mask: `${featureMaskPrefix}…`, bits: numbers, reason }, "warning"),
  ];
}
