/** `godwit cpu features`: the named bits of CPUID. */
import { features, featureNamed, featuresInText, placeOf, vmwareFeature, type CpuFeature } from "@godwit/cpu";
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
  const others = pasted.flatMap(({ name, feature }) => (feature === null ? [name] : []));
  const chosen =
    names.length === 0
      ? features
      : pasted.length > 0
        ? pasted.flatMap(({ feature }) => feature ?? [])
        : names.map(named);
  for (const name of others)
    writeNote(`${name} is no bit of CPUID: it stands in a model-specific register, or QEMU makes it.`);
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
