/**
 * Why a CPU probably lacks a feature, and what to do about it. It explains, and decides nothing about moves.
 * The rules are tried in order, the surest first; see `likelyCause`.
 */
import type { Accelerator } from "@godwit/contract";
import type { CpuFeature } from "../features/feature.ts";
import { featureNamed } from "../features/features.ts";
import { isOlderQemu } from "../features/qemu-version.ts";
import { generationOf, isHybrid, isOfDesktopGeneration } from "../evc-modes/generations.ts";
import type { EvcVendor } from "../evc-modes/mode.ts";
import { featuresOfModels } from "../named-models/named-models.ts";
import { evcModes, evcVendorOf } from "../evc-modes/modes.ts";
import { has, type Cpu } from "../cpuid/cpu.ts";

export type CauseKind =
  "generation" | "firmware" | "microcode" | "fuse" | "virtual" | "kernel" | "qemu" | "source";

export interface Cause {
  readonly kind: CauseKind;
  /** A sentence each. */
  readonly cause: string;
  readonly remedy: string;
}

/** What firmware can disable, and what it calls the setting. */
const firmwareSwitches: Readonly<Record<string, string>> = {
  nx: "Execute Disable Bit, XD or NX",
  aes: "AES-NI",
  vmx: "Intel Virtualization Technology (VT-x)",
  svm: "SVM Mode",
  monitor: "MONITOR/MWAIT",
  smx: "Trusted Execution Technology (TXT)",
  sgx: "Software Guard Extensions (SGX)",
  x2apic: "x2APIC",
  ht: "Hyper-Threading or SMT",
  est: "SpeedStep",
  erms: "Enhanced REP MOVSB/STOSB",
  fsrm: "Fast Short REP MOVSB",
  la57: "5-Level Paging",
  "intel-pt": "Processor Trace",
};

/** The setting is for AVX-512 as a whole: where some of it is there, it is not switched off. */
const firmwareSwitchOf = ({ name }: CpuFeature, lacking: Cpu): string | null =>
  firmwareSwitches[name] ??
  (name.startsWith("avx512") && has(lacking, "avx512f") !== true ? "AVX-512" : null);

const transactions = new Set(["hle", "rtm", "tsx-ldtrk"]);

/** What small parts of a generation are sold without. */
const fusedOff = new Set(
  `sse4.1 sse4.2 popcnt aes pclmulqdq avx avx2 f16c fma bmi1 bmi2 movbe rdrand rdseed adx xsave abm vmx pku
   sha-ni`.split(/\s+/),
);
const smallPart = /celeron|pentium|\batom\b/i;
/** Desktop and workstation parts of the server dies of Skylake and Cascade Lake: i9-7900X, i9-10980XE, W-2145. */
const workstationPart = /\bi[579]-\d{4,5}XE?\b|\bW-\d{4}/;

/**
 * @param having a CPU that has the feature; null: no particular one
 * @param lacking one of which it is not known that it has it
 */
export function likelyCause(feature: CpuFeature, having: Cpu | null, lacking: Cpu): Cause {
  const { label } = lacking;
  if (has(lacking, feature.name) === null) return notReported(feature, label);
  // A state component is there exactly with the instructions that need it.
  const principal = feature.impliedBy === null ? undefined : featureNamed(feature.impliedBy);
  if (principal !== undefined && has(lacking, principal.name) !== true)
    return likelyCause(principal, having, lacking);
  if (lacking.virtual) return hiddenByHypervisor(feature, lacking);
  if (lacking.someCores?.has(feature.name) === true) return onSomeCores(feature, label);
  const alike = having !== null && isSameKind(having, lacking);
  if (having?.vendor !== lacking.vendor && isOfOtherVendor(feature, lacking))
    return absentFromGeneration(feature, label, `${lacking.vendor}'s CPUs have none`);
  if (feature.microcode) return withMicrocode(feature, label);
  if (transactions.has(feature.name)) return tsxDisabled(feature, label);
  const generation = generationOf(lacking);
  if (generation === "none" && isInModes(feature))
    return absentFromGeneration(feature, label, "its family is older than all EVC modes");
  if (isHybrid(lacking) && feature.name.startsWith("avx512")) return offBesideSmallCores(feature, label);
  if (generation !== null && generation !== "none" && !alike) {
    if (!generation.features.includes(feature.name) && isInModes(feature) && !isOfDesktopGeneration(lacking))
      return absentFromGeneration(
        feature,
        label,
        `the EVC mode of its generation, ${generation.key}, has none`,
      );
  }
  if (isFused(feature, lacking)) return fused(feature, lacking);
  const expected = generation !== null && generation !== "none" && generation.features.includes(feature.name);
  const name = firmwareSwitchOf(feature, lacking);
  if (name !== null && (expected || alike)) return disabledInFirmware(feature, label, name);
  if (name !== null && !isInModes(feature)) return disabledOrAbsent(feature, label, name);
  if (alike) return settingsDiffer(feature, having.label, label);
  if (expected) return disabledOrFused(feature, label);
  return absentForNoKnownReason(feature, label);
}

/**
 * Why QEMU on a host cannot give guests a feature that the hardware has.
 * @param version QEMU's, like `7.2.22`
 */
export function whyQemuLacks(
  feature: CpuFeature,
  cpu: Cpu,
  version: string,
  accelerator: Accelerator = "kvm",
): Cause {
  const { name, qemuSince } = feature;
  if (qemuSince === null || isOlderQemu(version, qemuSince)) {
    return {
      kind: "qemu",
      cause: `QEMU ${version} on ${cpu.label} does not support ${name}${qemuSince === null ? "; no QEMU does" : `, which came with ${qemuSince}`}.`,
      remedy:
        qemuSince === null
          ? "Choose a mode without it."
          : `Upgrade QEMU on ${cpu.label} to ${qemuSince} or later.`,
    };
  }
  if (accelerator === "tcg") {
    return {
      kind: "qemu",
      cause: `QEMU ${version} on ${cpu.label} emulates CPUs (TCG) and cannot emulate ${name}.`,
      remedy: `Upgrade QEMU on ${cpu.label}, or make KVM work there.`,
    };
  }
  if (name === "xsaves" && cpu.vendor === "AuthenticAMD" && cpu.family === 0x17) {
    return {
      kind: "kernel",
      cause: `Linux on ${cpu.label} does not use xsaves on Zen and Zen 2 with old microcode (AMD erratum 1386).`,
      remedy: `Update the firmware or microcode of ${cpu.label} and restart it, or choose a lower mode.`,
    };
  }
  return {
    kind: "kernel",
    cause: `The hardware of ${cpu.label} has ${name}, but its kernel does not let KVM expose it to guests.`,
    remedy: `Look for a newer kernel on ${cpu.label}, and for kernel parameters that disable it (nosmap, clearcpuid=, mitigations=).`,
  };
}

const notReported = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "source",
  cause: `The report of ${label} does not say whether it has ${name}.`,
  remedy: `Make a report on the machine itself, with godwit cpu report or the boot image.`,
});

const hiddenByHypervisor = ({ name }: CpuFeature, { label, offered }: Cpu): Cause => ({
  kind: "virtual",
  cause: offered
    ? `${label} is what a hypervisor offers to guests, which may be without ${name} though the hardware has it.`
    : `${label} was read inside a VM, whose hypervisor may hide ${name}.`,
  remedy: `Make a report of the hardware, with godwit cpu report on the host itself or the boot image.`,
});

const absentFromGeneration = ({ name }: CpuFeature, label: string, why: string): Cause => ({
  kind: "generation",
  cause: `${label} does not have ${name}: ${why}.`,
  remedy: `Choose a baseline that ${label} satisfies, or another host.`,
});

const onSomeCores = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "generation",
  cause: `Only some of the cores of ${label} have ${name}, and a guest runs on all of them.`,
  remedy: `Choose a baseline without it, or another host.`,
});

const offBesideSmallCores = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "fuse",
  cause: `${label} has cores of two kinds, and the small ones have no AVX-512: ${name} is switched off on all of its cores.`,
  remedy: `Choose a baseline without it, or another host.`,
});

const absentForNoKnownReason = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "generation",
  cause: `${label} does not have ${name}; it is not known whether any CPU of its generation has it.`,
  remedy: `Choose a baseline that ${label} satisfies, or another host.`,
});

const withMicrocode = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "microcode",
  cause: `${name} comes with a microcode update, which ${label} does not have or its kernel does not pass on.`,
  remedy: `Update firmware, microcode (intel-microcode, amd64-microcode) and kernel of ${label} and restart it.`,
});

const tsxDisabled = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "microcode",
  cause: `Microcode updates and firmware disable transactional memory (TSX), which includes ${name}, for security; it is disabled on ${label}.`,
  remedy: "Leave it disabled and use a baseline: no EVC mode has it.",
});

const fused = ({ name }: CpuFeature, { label, brand }: Cpu): Cause => ({
  kind: "fuse",
  cause: `${brand.trim()} in ${label} was sold without ${name}, which other CPUs of its generation have.`,
  remedy: `Choose a baseline that ${label} satisfies, or another host.`,
});

const disabledInFirmware = ({ name }: CpuFeature, label: string, entry: string): Cause => ({
  kind: "firmware",
  cause: `${name} is probably disabled in the firmware (BIOS) of ${label}.`,
  remedy: `Look for ${entry} in the firmware settings of ${label} and enable it.`,
});

const disabledOrAbsent = ({ name }: CpuFeature, label: string, entry: string): Cause => ({
  kind: "firmware",
  cause: `${name} is disabled in the firmware (BIOS) of ${label}, or its CPU does not have it.`,
  remedy: `Look for ${entry} in the firmware settings of ${label}; if there is no such setting, choose a baseline that ${label} satisfies.`,
});

const settingsDiffer = ({ name }: CpuFeature, having: string, label: string): Cause => ({
  kind: "firmware",
  cause: `${having} and ${label} have the same CPU model: ${name} is disabled in the firmware (BIOS) of ${label}, or by its microcode or kernel.`,
  remedy: `Give both the same firmware settings, microcode and kernel.`,
});

const disabledOrFused = ({ name }: CpuFeature, label: string): Cause => ({
  kind: "firmware",
  cause: `Other CPUs of the generation of ${label} have ${name}: it is disabled in the firmware (BIOS), or this model was sold without it.`,
  remedy: `Look in the firmware settings of ${label}; if there is no such setting, choose a baseline that ${label} satisfies.`,
});

/** Of which vendors a mode has the feature; asked for every difference of every pair of hosts. */
const vendorsWithModes = new Map<string, Set<EvcVendor>>();
for (const { features, vendor } of evcModes)
  for (const name of features)
    vendorsWithModes.set(name, (vendorsWithModes.get(name) ?? new Set()).add(vendor));

const isInModes = ({ name }: CpuFeature): boolean => vendorsWithModes.has(name);

/** First in Intel's CPUs; no mode of AMD's has them yet. */
const sinceZen5: ReadonlySet<string> = new Set(["avx-vnni", "movdiri", "movdir64b", "avx512-vp2intersect"]);

/** In the modes and models of another vendor only, or one of the two virtualisation extensions. */
function isOfOtherVendor({ name, impliedBy }: CpuFeature, cpu: Cpu): boolean {
  const vendor = evcVendorOf(cpu);
  if (vendor !== "intel" && vendor !== "amd") return false;
  if (name === "vmx" || name === "svm") return name !== { intel: "vmx", amd: "svm" }[vendor];
  const elsewhere = impliedBy !== null || (cpu.vendor === "AuthenticAMD" && sinceZen5.has(name));
  if (elsewhere || featuresOfModels.get(cpu.vendor)?.has(name) === true) return false;
  return vendorsWithModes.get(name)?.has(vendor) === false;
}

function isFused({ name }: CpuFeature, { brand }: Cpu): boolean {
  if (workstationPart.test(brand)) return name === "pku";
  return smallPart.test(brand) && fusedOff.has(name);
}

/** One model number has three generations; their steppings tell them apart. */
const isSameKind = (a: Cpu, b: Cpu): boolean =>
  a.vendor === b.vendor &&
  a.family !== null &&
  a.family === b.family &&
  a.model === b.model &&
  (a.model !== 0x55 || a.vendor !== "GenuineIntel" || a.stepping === b.stepping);
