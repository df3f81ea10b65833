/** `godwit cpu features` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const featuresCommand = buildCommand({
  docs: {
    brief: "List the CPU features that Godwit knows by name",
    fullDescription: `Lists each feature's bit in CPUID or in a model-specific register (MSR), VMware's name, and whether unprivileged code can use it (user) or only the
kernel. Names are QEMU's; VMware's names and common aliases are accepted too, and so is an error of QEMU or libvirt that names
some (- reads it from standard input).

Examples:
  godwit cpu features
  godwit cpu features sse4.1 NX avx2 taa-no
  godwit cpu features "guest CPU doesn't match specification: missing features: erms,vaes"`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: { kind: "array", parameter: { brief: "Names", placeholder: "feature", parse: String } },
  },
  loader: async () => (await import("../../cpu/features.ts")).listFeatures,
});
