/** `godwit cpu baseline` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const baselineCommand = buildCommand({
  docs: {
    brief: "Find the highest EVC mode that CPUs have in common",
    fullDescription: `Each CPU is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the
name of a host; --pool takes all hosts of a pool. Tells the mode, what QEMU is told for it, what each host gives
up with it, and what stands in the way of the next mode. --without and --add say what would be if a host went or
came, and which VMs of the pool could then not start or move. Ends with 0 when there is a mode, with 3 when not.

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
        brief: "What if this one were not there",
      },
      add: {
        ...{ kind: "parsed", parse: String, variadic: true, optional: true },
        brief: "What if this file or host were there too",
      },
    },
    positional: {
      kind: "array",
      parameter: { brief: "Files, or hosts' names", placeholder: "cpu", parse: String },
    },
  },
  loader: async () => (await import("../../cpu/baseline.ts")).baseline,
});
