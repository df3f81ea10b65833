/**
 * Features that stand in a model-specific register (MSR) and in no bit of CPUID, by QEMU's names: what
 * IA32_ARCH_CAPABILITIES and IA32_CORE_CAPABILITIES say, and what VMX can do (`vmx-*`). A CPU has such a register
 * only with the CPUID bit that announces it, here its `parent`. Sources: Intel SDM volumes 3 and 4, QEMU's
 * and libvirt's feature maps.
 */
import { oldestQemu } from "./qemu-version.ts";

/** CPUID bits that announce such a register. */
export type MsrParent = "arch-capabilities" | "core-capability" | "vmx";

export interface MsrFeature {
  readonly name: string;
  /** The register's number. */
  readonly msr: number;
  /** Of the VMX control registers the bit of the control; that it may be 1 stands 32 bits higher. */
  readonly bit: number;
  readonly parent: MsrParent;
  /** The first QEMU version of the supported ones that surely names it. */
  readonly qemuSince: string;
  /** 1 means a weakness instead of a protection: a guest that was not told of it must not come to it either. */
  readonly weakness: boolean;
}

const weaknesses: ReadonlySet<string> = new Set(["rsba"]);

/** `BIT NAME`, divided by commas. */
const register = (msr: number, parent: MsrParent, list: string, qemuSince = oldestQemu): MsrFeature[] =>
  list.split(",").map((one) => {
    const [bit = "", name = ""] = one.trim().split(/\s+/);
    return { name, msr, bit: Number(bit), parent, qemuSince, weakness: weaknesses.has(name) };
  });

export const msrFeatures: readonly MsrFeature[] = [
  ...register(0xcf, "core-capability", "5 split-lock-detect"),
  ...register(
    0x10a,
    "arch-capabilities",
    `0 rdctl-no, 1 ibrs-all, 2 rsba, 3 skip-l1dfl-vmentry, 4 ssb-no, 5 mds-no, 6 pschange-mc-no, 7 tsx-ctrl,
     8 taa-no`,
  ),
  ...register(
    0x10a,
    "arch-capabilities",
    `13 sbdr-ssdp-no, 14 fbsdp-no, 15 psdp-no, 17 fb-clear, 20 bhi-no, 24 pbrsb-no, 26 gds-no, 27 rfds-no,
     28 rfds-clear`,
    "10.0",
  ),
  ...register(0x10a, "arch-capabilities", "62 its-no", "10.1"),
  ...register(0x480, "vmx", "54 vmx-ins-outs, 55 vmx-true-ctls"),
  ...register(0x480, "vmx", "56 vmx-any-errcode, 58 vmx-nested-exception", "10.0"),
  ...register(
    0x485,
    "vmx",
    `5 vmx-store-lma, 6 vmx-activity-hlt, 7 vmx-activity-shutdown, 8 vmx-activity-wait-sipi,
     29 vmx-vmwrite-vmexit-fields, 30 vmx-zero-len-inject`,
  ),
  ...register(
    0x48b,
    "vmx",
    `0 vmx-apicv-xapic, 1 vmx-ept, 2 vmx-desc-exit, 3 vmx-rdtscp-exit, 4 vmx-apicv-x2apic, 5 vmx-vpid,
     6 vmx-wbinvd-exit, 7 vmx-unrestricted-guest, 8 vmx-apicv-register, 9 vmx-apicv-vid, 10 vmx-ple,
     11 vmx-rdrand-exit, 12 vmx-invpcid-exit, 13 vmx-vmfunc, 14 vmx-shadow-vmcs, 15 vmx-encls-exit,
     16 vmx-rdseed-exit, 17 vmx-pml, 20 vmx-xsaves, 25 vmx-tsc-scaling`,
  ),
  ...register(0x48b, "vmx", "26 vmx-enable-user-wait-pause", "10.0"),
  ...register(
    0x48c,
    "vmx",
    `0 vmx-ept-execonly, 6 vmx-page-walk-4, 7 vmx-page-walk-5, 16 vmx-ept-2mb, 17 vmx-ept-1gb, 20 vmx-invept,
     21 vmx-eptad, 22 vmx-ept-advanced-exitinfo, 25 vmx-invept-single-context, 26 vmx-invept-all-context,
     32 vmx-invvpid, 40 vmx-invvpid-single-addr, 42 vmx-invvpid-all-context,
     43 vmx-invept-single-context-noglobals`,
  ),
  ...register(
    0x48d,
    "vmx",
    "0 vmx-intr-exit, 3 vmx-nmi-exit, 5 vmx-vnmi, 6 vmx-preemption-timer, 7 vmx-posted-intr",
  ),
  ...register(
    0x48e,
    "vmx",
    `2 vmx-vintr-pending, 3 vmx-tsc-offset, 7 vmx-hlt-exit, 9 vmx-invlpg-exit, 10 vmx-mwait-exit,
     11 vmx-rdpmc-exit, 12 vmx-rdtsc-exit, 15 vmx-cr3-load-noexit, 16 vmx-cr3-store-noexit,
     19 vmx-cr8-load-exit, 20 vmx-cr8-store-exit, 21 vmx-flexpriority, 22 vmx-vnmi-pending, 23 vmx-movdr-exit,
     24 vmx-io-exit, 25 vmx-io-bitmap, 27 vmx-mtf, 28 vmx-msr-bitmap, 29 vmx-monitor-exit, 30 vmx-pause-exit,
     31 vmx-secondary-ctls`,
  ),
  ...register(
    0x48f,
    "vmx",
    `2 vmx-exit-nosave-debugctl, 12 vmx-exit-load-perf-global-ctrl, 15 vmx-exit-ack-intr, 18 vmx-exit-save-pat,
     19 vmx-exit-load-pat, 20 vmx-exit-save-efer, 21 vmx-exit-load-efer, 22 vmx-exit-save-preemption-timer,
     23 vmx-exit-clear-bndcfgs, 25 vmx-exit-clear-rtit-ctl, 29 vmx-exit-load-pkrs`,
  ),
  ...register(0x48f, "vmx", "31 vmx-exit-secondary-ctls", "10.0"),
  ...register(
    0x490,
    "vmx",
    `2 vmx-entry-noload-debugctl, 9 vmx-entry-ia32e-mode, 13 vmx-entry-load-perf-global-ctrl,
     14 vmx-entry-load-pat, 15 vmx-entry-load-efer, 16 vmx-entry-load-bndcfgs, 18 vmx-entry-load-rtit-ctl,
     22 vmx-entry-load-pkrs`,
  ),
  ...register(0x490, "vmx", "23 vmx-entry-load-fred", "10.0"),
  ...register(0x491, "vmx", "0 vmx-eptp-switching"),
];

/** libvirt's and newer names of the same bit. */
const aliases: Readonly<Record<string, string>> = {
  "vmx-invvpid-single-context-noglobals": "vmx-invept-single-context-noglobals",
};

const byName = new Map(msrFeatures.map((feature) => [feature.name, feature]));

/** @param name QEMU's name or an alias of it, with hyphens or underscores */
export function msrFeatureNamed(name: string): MsrFeature | undefined {
  const plain = name.replaceAll("_", "-");
  return byName.get(plain) ?? byName.get(aliases[plain] ?? "");
}

/** Whether a CPU model without these features is without that one too: QEMU takes a register away with the bit before it. */
export const goesWith = (removed: ReadonlySet<string>, name: string): boolean =>
  removed.has(name) || removed.has(msrFeatureNamed(name)?.parent ?? "");

/** Where a bit is, for people: `MSR 0x10A[8]`. */
export const msrPlaceOf = ({ msr, bit }: Pick<MsrFeature, "msr" | "bit">): string =>
  `MSR 0x${msr.toString(16).toUpperCase()}[${String(bit)}]`;

/** Divides names of features that a source lists: those of this table, and the others. */
export function divideMsrNames(names: Iterable<string>): { msr: string[]; others: string[] } {
  const [msr, others]: [string[], string[]] = [[], []];
  for (const name of names) {
    const feature = msrFeatureNamed(name);
    if (feature === undefined) others.push(name);
    else msr.push(feature.name);
  }
  return { msr, others };
}
