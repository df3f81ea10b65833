/** `godwit cpu baseline` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const baselineCommand = buildCommand({
  docs: {
    brief: "Find the highest EVC mode that CPUs have in common",
    fullDescription: `Each CPU is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the
name of a host; --pool takes all hosts of a pool. Shows the mode, its QEMU CPU model, the features that each host
loses with it, and what each host lacks for the next mode. --without and --add show the result if a host were removed
or added, and which VMs of the pool could then not start or move. CPUs without an EVC mode (Hygon, Zhaoxin), and those
with more than the highest (desktops, Zen 5, Granite Rapids), may have a common set of Godwit's own in common.
Ends with 0 if there is a mode or a set, with 3 if not.

Examples:
  godwit cpu baseline old-server.txt new-server.txt
  godwit cpu baseline --pool blue --add candidate.json
  godwit cpu baseline a b c --without c --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      pool: { kind: "parsed", parse: String, brief: "All hosts of a pool", optional: true },
      without: {
        ...{ kind: "parsed", parse: String, variadic: true, optional: true },
        brief: "Calculate without this one",
      },
      add: {
        ...{ kind: "parsed", parse: String, variadic: true, optional: true },
        brief: "Calculate with this file or host too",
      },
    },
    positional: {
      kind: "array",
      parameter: { brief: "Files, or hosts' names", placeholder: "cpu", parse: String },
    },
  },
  loader: async () => (await import("../../cpu/baseline.ts")).baseline,
});
