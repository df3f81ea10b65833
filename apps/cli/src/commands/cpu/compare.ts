/** `godwit cpu compare` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../common.ts";

export const compareCommand = buildCommand({
  docs: {
    brief: "Compare the CPUs of two hosts that share no baseline",
    fullDescription: `Each is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the name
of a host. Reports for both directions whether a VM may move, by vSphere's rules for hosts without EVC: never
between vendors; user-level features must be equal on both; kernel-level features must exist on the destination.
What is not known counts neither as there nor as missing, and allows nothing. Ends with 0 if a VM may move both ways,
with 3 if not.

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
        { brief: "Another file or host", placeholder: "b", parse: String },
      ],
    },
  },
  loader: async () => (await import("../../cpu/compare.ts")).compare,
});
