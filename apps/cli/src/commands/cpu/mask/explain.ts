/** `godwit cpu mask explain` */
import type { HostDefaultSet } from "@godwit/cpu";
import { buildCommand } from "@stricli/core";
import { jsonFlag, wordsOf } from "../../common.ts";
import { grammar, hostFlags, masksArgument } from "./shared.ts";

export const explainCommand = buildCommand({
  docs: {
    brief: "Explain a VM's CPU masks bit by bit",
    fullDescription: `Shows what the guest sees, what is checked when the VM is powered on, and what a move checks; with a host, also
the value of each bit on that host. Ends with 3 if the VM could not be powered on there.

${grammar}

Examples:
  godwit cpu mask explain "cpuid.1.ecx=----:----:----:----:----:----:----:---R"
  godwit cpu mask explain old-vm.vmx --host a
  godwit cpu mask explain featMask.vm.cpuid.AVX=Val:0 --file report.txt --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      ...hostFlags,
      all: {
        kind: "boolean",
        brief: "Also show the bits that only the host's default masks",
        default: false,
      },
      defaults: {
        kind: "enum",
        values: wordsOf<HostDefaultSet>({
          current: true,
          "vi3-2008-02": true,
          "vi3-2008-04": true,
        }),
        brief: "The host's default masks: today's, or VMware Infrastructure 3's",
        default: "current",
      },
      vendor: {
        kind: "enum",
        values: ["intel", "amd"],
        brief: "CPU vendor, if no host is named",
        optional: true,
      },
    },
    positional: masksArgument,
  },
  loader: async () => (await import("../../../cpu/mask.ts")).explainGiven,
});
