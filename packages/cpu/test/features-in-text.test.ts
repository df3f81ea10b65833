/** Errors as people paste them: which features they are about. */
import { expect, test } from "vitest";
import { featuresInText } from "../src/index.ts";

const namesIn = (text: string) =>
  featuresInText(text).map(({ name, feature }) => feature?.name ?? `(${name})`);

test.each([
  [
    "guest CPU doesn't match specification: missing features: erms,vaes,vpclmulqdq,fsrm",
    "erms vaes vpclmulqdq fsrm",
  ],
  [
    "the CPU is incompatible with host CPU: Host CPU does not provide required features: pcid, x2apic",
    "pcid x2apic",
  ],
  ["missing features: vmx-rdrand-exit,lahf_lm", "(vmx-rdrand-exit) lahf-lm"],
  [
    "qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.07H:EBX.hle [bit 4]\nqemu-system-x86_64: warning: host doesn't support requested feature: CPUID.07H:EBX.rtm [bit 11]",
    "hle rtm",
  ],
  ["TCG doesn't support requested feature: CPUID[eax=0Dh,ecx=01h].EAX.xsavec [bit 1]", "xsavec"],
  ["host doesn't support requested feature: CPUID.80000008H:EBX [bit 12]", "ibpb"],
  ["host doesn't support requested feature: MSR(48CH).vmx-ept-1gb [bit 17]", "(vmx-ept-1gb)"],
  [
    "can't apply global Haswell-x86_64-cpu.taa-no=on: Property 'Haswell-x86_64-cpu.taa-no' not found",
    "(taa-no)",
  ],
  ["everything is fine", ""],
])("%s", (text, expected) => {
  expect(namesIn(text).join(" ")).toBe(expected);
});
