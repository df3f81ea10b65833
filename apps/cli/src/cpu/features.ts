/** `godwit cpu features`: the named bits of CPUID. */
import { features, featureNamed, placeOf, vmwareFeature, type CpuFeature } from "@godwit/cpu";
import { GodwitError } from "@godwit/contract";
import { formatTable } from "../output/format.ts";
import { writeJson, writeLine } from "../output/screen.ts";

export function listFeatures(flags: { json: boolean }, ...names: string[]): void {
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
}

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
