/** `godwit cpu evc list` */
import { buildCommand } from "@stricli/core";
import { jsonFlag } from "../../common.ts";

export const listCommand = buildCommand({
  docs: {
    brief: "List the EVC modes",
    fullDescription: `Keys and levels are VMware's. AMD's modes do not contain one another: Zen lacks features that Bulldozer has, so a
host may satisfy B4 and not B3. godwit cpu evc show lists the features of a mode.

Examples:
  godwit cpu evc list
  godwit cpu evc list --json`,
  },
  parameters: { flags: { json: jsonFlag } },
  loader: async () => (await import("../../../cpu/evc.ts")).listModes,
});
