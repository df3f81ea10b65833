/** `godwit cpu features`: the named bits of CPUID. */
import { features, featureNamed, placeOf, vmwareFeature, type CpuFeature } from "@godwit/cpu";
import { GodwitError } from "@godwit/contract";
import { buildCommand } from "@stricli/core";
import { formatTable } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag } from "../common.ts";

export const featuresCommand = buildCommand({
  docs: {
    brief: "List the CPU features that Godwit knows by name",
    fullDescription: `With their place in CPUID, VMware's name, and whether unprivileged code can use them (user) or only
the kernel. Names are QEMU's; VMware's names and common aliases are understood too.

Examples:
  godwit cpu features
  godwit cpu features sse4.1 NX avx2`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: { kind: "array", parameter: { brief: "Names", placeholder: "feature", parse: String } },
  },
  func(flags: { json: boolean }, ...names: string[]) {
    const chosen = names.length === 0 ? features : names.map(named);
    if (flags.json) {
      writeJson(chosen);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "VMWARE", "WHERE", "LEVEL", "NEEDS", ""],
        ...chosen.map((feature) => [
          feature.name,
          feature.vmware ?? "",
          placeOf(feature),
          feature.level,
          feature.parents.join(" "),
          remark(feature),
        ]),
      ]),
    );
  },
});

function named(name: string): CpuFeature {
  const feature =
    featureNamed(name.toLowerCase()) ?? vmwareFeature(name.replace(/^cpuid\./i, "").toUpperCase());
  if (feature !== undefined) return feature;
  throw GodwitError.of("USAGE", {
    what: `There is no CPU feature ${name}.`,
    hint: "godwit cpu features lists all names.",
  });
}

const remark = ({ microcode, runtime, qemuSince }: CpuFeature): string =>
  [
    ...(microcode ? ["by microcode"] : []),
    ...(runtime ? ["state, not compared"] : []),
    ...(qemuSince === null ? ["unknown to QEMU"] : []),
  ].join(", ");
