/** `godwit pool evc` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { checkFlag, tellCheck, tellFindings } from "./change.ts";

export const evcCommand = buildCommand({
  docs: {
    brief: "Raise, lower or remove a pool's EVC mode",
    fullDescription: `Raising needs hosts that satisfy the new mode; running VMs get it when they are next powered on, and are listed.
Lowering is refused while VMs run that see more than the new mode. "none" takes the mode away.

Examples:
  godwit pool evc east intel-skylake --check
  godwit pool evc east intel-skylake
  godwit pool evc east none`,
  },
  parameters: {
    flags: { json: jsonFlag, check: checkFlag },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Pool", placeholder: "pool", parse: String },
        { brief: "EVC mode, or none", placeholder: "mode", parse: String },
      ],
    },
  },
  async func(flags: JsonFlags & { check: boolean }, pool: string, mode: string) {
    const call = { params: { pool }, body: { evcMode: mode === "none" ? null : mode } };
    if (flags.check) {
      const change = await withApi((api) => api.call("poolEvcCheck", call));
      tellCheck(flags, change, `Pool ${pool} may`, mode === "none" ? "go without a mode" : `have ${mode}`);
      return;
    }
    const change = await withApi((api) => api.call("poolEvcSet", call));
    if (flags.json) {
      writeJson(change);
      return;
    }
    writeLine(mode === "none" ? `Pool ${pool} has no EVC mode.` : `Pool ${pool} has EVC mode ${mode}.`);
    tellFindings(change.findings);
  },
});
