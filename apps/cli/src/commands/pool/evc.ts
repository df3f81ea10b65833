/** `godwit pool evc` */
import { buildCommand } from "@stricli/core";
import { theBaseline } from "@godwit/contract/errors";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";
import { checkFlag, tellCheck, tellFindings } from "./change.ts";

export const evcCommand = buildCommand({
  docs: {
    brief: "Raise, lower or remove a pool's EVC mode",
    fullDescription: `To raise the mode, all hosts must satisfy the new one; running VMs get it at their next power-on, and are listed.
To lower it, no VM may be running with more features than the new mode has. "none" removes the mode.

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
        { brief: "EVC mode or common set, or none", placeholder: "mode", parse: String },
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
    writeLine(mode === "none" ? `Pool ${pool} has no EVC mode.` : `Pool ${pool} has ${theBaseline(mode)}.`);
    tellFindings(change.findings);
  },
});
