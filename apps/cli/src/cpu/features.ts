/** `godwit cpu features`: the named bits of CPUID, and those of model-specific registers. */
import {
  features,
  featureNamed,
  featuresInText,
  msrFeatureNamed,
  msrFeatures,
  msrPlaceOf,
  placeOf,
  vmwareFeature,
  type CpuFeature,
  type MsrFeature,
} from "@godwit/cpu";
import { GodwitError } from "@godwit/contract";
import { bytesOf, textOf } from "./argument.ts";
import { formatTable } from "../output/format.ts";
import { writeJson, writeLine, writeNote } from "../output/screen.ts";

/** @param names of features, or an error of QEMU or libvirt that names some; `-`: it is read from standard input */
export async function listFeatures(flags: { json: boolean }, ...names: string[]): Promise<void> {
  const text =
    names.length === 1 && names[0] === "-" ? textOf(await bytesOf("-", "standard input")) : names.join(" ");
  const pasted = names.length > 0 ? featuresInText(text) : [];
  if (names.includes("-") && pasted.length === 0) {
    throw GodwitError.of("USAGE", {
      what: "The text names no CPU feature.",
      hint: "Give an error of QEMU or libvirt that does, like: missing features: erms,vaes",
    });
  }
  const chosen: readonly (CpuFeature | MsrFeature)[] =
    names.length === 0
      ? [...features, ...msrFeatures]
      : pasted.length > 0
        ? pasted.flatMap(({ name, feature }) => feature ?? msrFeatureNamed(name) ?? [])
        : names.map(named);
  for (const { name, feature } of pasted)
    if (feature === null && msrFeatureNamed(name) === undefined)
      writeNote(`${name} is no bit of CPUID or of a model-specific register that Godwit knows.`);
  if (flags.json) {
    writeJson(chosen);
    return;
  }
  writeLine(
    formatTable([
      ["NAME", "VMWARE", "WHERE", "LEVEL", "NEEDS", ""],
      ...chosen.map((feature) => ("msr" in feature ? msrColumns(feature) : columns(feature))),
    ]),
  );
}

const columns = (feature: CpuFeature): string[] => [
  feature.name,
  feature.vmware ?? "",
  placeOf(feature),
  feature.level,
  feature.parents.join(" "),
  remark(feature),
];

const msrColumns = (feature: MsrFeature): string[] => [
  feature.name,
  "",
  msrPlaceOf(feature),
  "kernel",
  feature.parent,
  feature.parent === "vmx"
    ? "for nested virtualization only"
    : feature.weakness
      ? "stands for a weakness"
      : "",
];

function named(name: string): CpuFeature | MsrFeature {
  const feature =
    featureNamed(name.toLowerCase()) ??
    vmwareFeature(name.replace(/^cpuid\./i, "").toUpperCase()) ??
    msrFeatureNamed(name.toLowerCase());
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
