/** `godwit cpu evc show` */
import { buildCommand } from "@stricli/core";
import { jsonFlag, nameArgument } from "../../common.ts";

export const showCommand = buildCommand({
  docs: {
    brief: "Show the features that an EVC mode requires of hosts, and its QEMU CPU model",
    fullDescription: `A published definition never changes; a correction is a new revision. A key without @N means the newest revision.

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
