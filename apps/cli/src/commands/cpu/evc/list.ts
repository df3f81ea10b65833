/** `godwit cpu evc list` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../../common.ts";

export const listCommand = buildCommand({
  docs: {
    brief: "List the EVC modes",
    fullDescription: `Keys and levels are VMware's. AMD's modes are not a ladder: Zen has lost what Bulldozer had, so that a host
may satisfy B4 and not B3. Features decide; godwit cpu evc show tells a mode's.

Examples:
  godwit cpu evc list
  godwit cpu evc list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  loader: async () => (await import("../../../cpu/evc.ts")).listModes,
});
