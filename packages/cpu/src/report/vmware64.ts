/**
 * Whether VMware's products could run 64-bit guests: Intel's CPUs need VT that the firmware has switched on; AMD's
 * need SVM, or segment limits in long mode, which came with revision D (with E in Opteron and Turion). VMware KB 1003945.
 */
import type { MsrValue } from "../cpuid/leaves.ts";

export interface Vmware64Facts {
  readonly vendor: string;
  readonly family: number | null;
  readonly model: number | null;
  readonly brand: string;
  readonly longMode: boolean | null;
  readonly vmx: boolean | null;
  readonly svm: boolean | null;
  /** AMD says that segment limits in long mode are gone. */
  readonly noSegmentLimits: boolean | null;
  readonly msrs: readonly MsrValue[];
  readonly virtual: boolean;
}

/** null: not known. */
export function vmware64Of(facts: Vmware64Facts): { has: boolean | null; because: string } {
  if (facts.longMode !== true) {
    return facts.longMode === false
      ? { has: false, because: "the CPU has no long mode" }
      : { has: null, because: "long mode is not reported" };
  }
  if (facts.vendor === "GenuineIntel") return intel(facts);
  if (facts.vendor === "AuthenticAMD" || facts.vendor === "HygonGenuine") return amd(facts);
  return { has: null, because: `no rule is known for the vendor ${facts.vendor}` };
}

const featureControl = 0x3a;

function intel({ vmx, msrs }: Vmware64Facts): { has: boolean | null; because: string } {
  if (vmx === null) return { has: null, because: "VMX is not reported" };
  if (!vmx) return { has: false, because: "the CPU shows no VMX" };
  const value = msrs.find((one) => one.msr === featureControl)?.value ?? null;
  if (value === null)
    return {
      has: null,
      because: "VMX is there, but whether the firmware has switched it on (MSR 0x3A) was not read",
    };
  const locked = value % 2n === 1n;
  const enabled = (value >> 2n) % 2n === 1n;
  return locked && !enabled
    ? { has: false, because: "the firmware has switched VMX off (MSR 0x3A)" }
    : { has: true, because: "VMX is there and not switched off (MSR 0x3A)" };
}

function amd(facts: Vmware64Facts): { has: boolean | null; because: string } {
  const { family, model, brand, svm, noSegmentLimits } = facts;
  if (svm === true) return { has: true, because: "the CPU has SVM" };
  if (family === 0xf && model !== null) {
    const opteron = /opteron|turion/i.test(brand);
    if (model >= 0x20 || (model >= 0x10 && !opteron && brand !== ""))
      return { has: true, because: "this revision has segment limits in long mode" };
    if (model < 0x10 || opteron)
      return { has: false, because: "this revision has no segment limits in long mode" };
  }
  if (svm === false && (noSegmentLimits === true || facts.virtual))
    return { has: false, because: "the CPU shows neither SVM nor segment limits in long mode" };
  return { has: null, because: "SVM is switched off or not reported, and segment limits are not reported" };
}
