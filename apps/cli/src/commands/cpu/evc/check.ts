/** `godwit cpu evc check` */
import type { EvcMode } from "@godwit/cpu";
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../../common.ts";

export const checkCommand = buildCommand({
  docs: {
    brief: "Show which EVC modes CPUs satisfy, and what they lack for higher ones",
    fullDescription: `Each CPU is a file (a report of this program or of VMware's utility, a CPUID dump, libvirt's XML) or the
name of a host. With --mode: whether each satisfies it; ends with 3 if one does not. A feature that a file does not
mention counts as missing.

Examples:
  godwit cpu evc check server.txt
  godwit cpu evc check --mode intel-haswell a b c --json`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      mode: { kind: "parsed", parse: modeNamed, brief: "The mode to check", optional: true },
    },
    positional: {
      kind: "array",
      parameter: { brief: "Files, or hosts' names", placeholder: "cpu", parse: String },
      minimum: 1,
    },
  },
  loader: async () => (await import("../../../cpu/evc.ts")).checkModes,
});

/** @throws EVC_MODE_UNKNOWN */
async function modeNamed(text: string): Promise<EvcMode> {
  const { evcModeNamed } = await import("@godwit/cpu");
  return evcModeNamed(text);
}
