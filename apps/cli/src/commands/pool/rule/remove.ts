/** `godwit pool rule remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { writeLine } from "../../../output/screen.ts";
import { ruleArguments } from "./arguments.ts";

export const removeCommand = buildCommand({
  docs: { brief: "Remove a rule", fullDescription: "Example: godwit pool rule remove east databases" },
  parameters: { positional: ruleArguments },
  async func(_flags: object, pool: string, rule: string) {
    await withApi((api) => api.call("poolRuleRemove", { params: { pool, rule } }));
    writeLine(`Rule ${rule} of pool ${pool} is removed.`);
  },
});
