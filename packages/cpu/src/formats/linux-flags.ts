/**
 * The flags by which Linux names what a CPU has, in /proc/cpuinfo and in lscpu. A flag that is there is a feature that
 * is there; one that is not may be switched off by the kernel, or have no name there, so that it is not known. Some
 * flags are Linux's own, and what they stand for depends on the vendor.
 */
import type { MsrKnowledge } from "../cpuid/leaves.ts";
import { features, featureNamed } from "../features/features.ts";

/** Flags that mean a bit by another name than QEMU's. */
const flagNames: Readonly<Record<string, string>> = {
  lahf_lm: "lahf-lm",
  cr8_legacy: "cr8legacy",
  tsc_deadline_timer: "tsc-deadline",
  sse4_1: "sse4.1",
  sse4_2: "sse4.2",
  sha_ni: "sha-ni",
  fxsr_opt: "fxsr-opt",
  dts: "ds",
  nonstop_tsc: "invtsc",
  avx512_vnni: "avx512vnni",
  avx512_vbmi2: "avx512vbmi2",
  avx512_bitalg: "avx512bitalg",
  mwaitx: "monitorx",
  tsxldtrk: "tsx-ldtrk",
  sgx_lc: "sgxlc",
  rdt_a: "pqe",
  tme: "tme-en",
  pausefilter: "pause-filter",
  x2avic: "svm-x2avic",
  perfctr_llc: "perfl3",
  bpext: "databk",
  ptsc: "perftsc",
  user_shstk: "cet-ss",
  ibt: "cet-ibt",
};

/** Set by Linux from bits of several kinds: what follows from them is said by vendor. */
const synthetic: ReadonlySet<string> = new Set(["ssbd", "stibp", "ibrs", "ibpb", "vnmi", "ibrs_enhanced"]);

export interface LinuxCpu {
  /** As CPUID spells it. */
  readonly vendor: string | null;
  readonly family: number | null;
  readonly flags: readonly string[];
}

/** Names of the feature table, in its order. */
export function featuresOfFlags(cpu: LinuxCpu): string[] {
  const told = new Set(bySynthetic(cpu));
  for (const flag of cpu.flags) {
    if (synthetic.has(flag)) continue;
    const feature = featureNamed(flagNames[flag] ?? flag);
    if (feature !== undefined) told.add(feature.name);
  }
  return features.map(({ name }) => name).filter((name) => told.has(name));
}

/** Flags that tell of a feature in a model-specific register: VMX's, and enhanced IBRS of Intel's CPUs. */
const vmxFlags: Readonly<Record<string, string>> = {
  vnmi: "vmx-vnmi",
  preemption_timer: "vmx-preemption-timer",
  posted_intr: "vmx-posted-intr",
  invvpid: "vmx-invvpid",
  ept_x_only: "vmx-ept-execonly",
  ept_ad: "vmx-eptad",
  ept_1gb: "vmx-ept-1gb",
  ept_5level: "vmx-page-walk-5",
  tsc_offset: "vmx-tsc-offset",
  vtpr: "vmx-flexpriority",
  mtf: "vmx-mtf",
  vapic: "vmx-apicv-xapic",
  ept: "vmx-ept",
  vpid: "vmx-vpid",
  unrestricted_guest: "vmx-unrestricted-guest",
  vapic_reg: "vmx-apicv-register",
  vid: "vmx-apicv-vid",
  ple: "vmx-ple",
  shadow_vmcs: "vmx-shadow-vmcs",
  pml: "vmx-pml",
  tsc_scaling: "vmx-tsc-scaling",
  usr_wait_pause: "vmx-enable-user-wait-pause",
};

/**
 * What the flags, and those of the line `vmx flags`, tell of model-specific registers. None is told to be absent.
 * Only Intel's CPUs have these registers: on AMD's, `ibrs_enhanced` stands for automatic IBRS.
 */
export function msrFeaturesOfFlags(
  { vendor, flags }: Pick<LinuxCpu, "vendor" | "flags">,
  vmx: readonly string[] = [],
): MsrKnowledge {
  if (vendor !== "GenuineIntel") return { has: [], lacks: [] };
  const enhanced = flags.includes("ibrs_enhanced") && flags.includes("arch_capabilities");
  return {
    has: [...(enhanced ? ["ibrs-all"] : []), ...vmx.flatMap((flag) => vmxFlags[flag] ?? [])],
    lacks: [],
  };
}

/** Linux's `init_speculation_control`, backwards: only where one bit alone can have set the flag. */
function bySynthetic({ vendor, family, flags }: LinuxCpu): string[] {
  const has = new Set(flags);
  const when = (flag: string, feature: string): string[] => (has.has(flag) ? [feature] : []);
  if (vendor === "GenuineIntel")
    return [
      ...(has.has("ibrs") && has.has("ibpb") ? ["spec-ctrl"] : []),
      ...when("stibp", "stibp"),
      ...when("ssbd", "ssbd"),
    ];
  if (vendor !== "AuthenticAMD" && vendor !== "HygonGenuine") return [];
  // Up to Zen 2 another register may be behind the flag, and in VMs a virtual one.
  const ownSsbd = family !== null && family >= 0x19 && !has.has("virt_ssbd");
  return [
    ...when("ibrs", "ibrs"),
    ...when("ibpb", "ibpb"),
    ...when("stibp", "amd-stibp"),
    ...(ownSsbd ? when("ssbd", "amd-ssbd") : []),
    ...when("vnmi", "vnmi"),
  ];
}
