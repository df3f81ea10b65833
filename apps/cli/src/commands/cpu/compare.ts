/** `godwit cpu compare`: may a VM move between two CPUs that share no baseline, and if not, why not. */
import { compareCpus, cpuOf } from "@godwit/cpu";
import { buildCommand } from "@stricli/core";
import { cpuArgument } from "../../cpu-argument.ts";
import { comparisonText } from "../../output/comparison-view.ts";
import { Exit, exitCodes } from "../../output/problem.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag } from "../common.ts";

export const compareCommand = buildCommand({
  docs: {
    brief: "Compare two CPUs as hosts without a common baseline",
    fullDescription: `Each is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the name
of a host. Tells for both directions whether a VM may move, by vSphere's rules for hosts without EVC: never
between vendors; a user-level feature must be alike on both; a kernel-level one must be there where the VM
goes. What a file does not tell is not taken for a yes. Ends with 0 when a VM may move both ways, with 3 when not.

Examples:
  godwit cpu compare a b
  godwit cpu compare old-server.txt new-server.json --json`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "A file, or a host's name", placeholder: "a", parse: String },
        { brief: "Another", placeholder: "b", parse: String },
      ],
    },
  },
  async func(flags: { json: boolean }, first: string, second: string) {
    const [a, b] = [await cpuArgument(first), await cpuArgument(second)];
    // Sentences name the two; the same name twice would leave open which one is meant.
    const [labelA, labelB] = a.label === b.label ? [`${a.label} (A)`, `${b.label} (B)`] : [a.label, b.label];
    const comparison = compareCpus(cpuOf(a.report, labelA), cpuOf(b.report, labelB));
    if (flags.json) writeJson(comparison);
    else writeLine(comparisonText(comparison));
    if (!comparison.compatible) throw new Exit(exitCodes.refused);
  },
});
