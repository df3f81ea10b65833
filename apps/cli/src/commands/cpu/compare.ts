/** `godwit cpu compare` */
import { buildCommand } from "@stricli/core";
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
  loader: async () => (await import("../../cpu/compare.ts")).compare,
});
