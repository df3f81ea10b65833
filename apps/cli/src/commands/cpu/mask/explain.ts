/** `godwit cpu mask explain` */
import type { HostDefaultSet } from "@godwit/cpu";
import { buildCommand } from "@stricli/core";
import { jsonFlag, wordsOf } from "../../common.ts";
import { grammar, hostFlags, masksArgument } from "./shared.ts";

export const explainCommand = buildCommand({
  docs: {
    brief: "Say what a VM's CPU masks mean, bit by bit",
    fullDescription: `What the guest sees, what is checked when the VM is powered on, and what a move checks; with a host, the
value that each bit gets there. Ends with 3 where the VM could not be powered on at that host.

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
      all: { kind: "boolean", brief: "Also the bits that only the host's default masks", default: false },
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
        brief: "Whose CPU, where no host is named",
        optional: true,
      },
    },
    positional: masksArgument,
  },
  loader: async () => (await import("../../../cpu/mask.ts")).explainGiven,
});
