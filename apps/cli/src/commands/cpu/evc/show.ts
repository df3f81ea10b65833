/** `godwit cpu evc show` */
import { buildCommand } from "@stricli/core";
import { jsonFlag, nameArgument } from "../../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show what an EVC mode wants of hosts, and what QEMU is told for it",
    fullDescription: `A definition that was published never changes; a correction is a new revision. A key means the newest one.

Examples:
  godwit cpu evc show intel-haswell
  godwit cpu evc show amd-zen@1 --json`,
  },
  parameters: {
    flags: { json: jsonFlag },
    positional: nameArgument("mode", "A mode's key, like intel-haswell"),
  },
  loader: async () => (await import("../../../cpu/evc.ts")).showMode,
});
