/** `godwit cpu compare`: may a VM move between two CPUs that share no baseline, and if not, why not. */
import { compareCpus, cpuOf } from "@godwit/cpu";
import { cpuArgument } from "./argument.ts";
import { comparisonText } from "../output/comparison-view.ts";
import { Exit, exitCodes } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";

export async function compare(flags: { json: boolean }, first: string, second: string): Promise<void> {
  const [a, b] = [await cpuArgument(first), await cpuArgument(second)];
  // Sentences name the two: hosts by their names, files as A and B.
  const byName = a.label !== b.label && [a, b].every(({ label }) => /^[a-z0-9-]{1,63}$/.test(label));
  const [labelA, labelB] = byName ? [a.label, b.label] : ["A", "B"];
  const comparison = compareCpus(cpuOf(a.report, labelA), cpuOf(b.report, labelB));
  const sources = { a: a.label, b: b.label };
  if (flags.json) writeJson({ sources, ...comparison });
  else writeLine(comparisonText(comparison, sources));
  if (!comparison.compatible) throw new Exit(exitCodes.refused);
}
