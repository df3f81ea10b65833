/** `godwit cpu compare`: may a VM move between two CPUs that share no baseline, and if not, why not. */
import { compareCpus, cpuOf } from "@godwit/cpu";
import { cpuArgument } from "./argument.ts";
import { comparisonText } from "../output/comparison-view.ts";
import { Exit, exitCodes } from "../output/problem.ts";
import { writeJson, writeLine } from "../output/screen.ts";

export async function compare(flags: { json: boolean }, first: string, second: string): Promise<void> {
  const [a, b] = [await cpuArgument(first), await cpuArgument(second)];
  // Sentences name the two; the same name twice would leave open which one is meant.
  const [labelA, labelB] = a.label === b.label ? [`${a.label} (A)`, `${b.label} (B)`] : [a.label, b.label];
  const comparison = compareCpus(cpuOf(a.report, labelA), cpuOf(b.report, labelB));
  if (flags.json) writeJson(comparison);
  else writeLine(comparisonText(comparison));
  if (!comparison.compatible) throw new Exit(exitCodes.refused);
}
