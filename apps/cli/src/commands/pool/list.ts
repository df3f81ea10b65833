/** `godwit pool list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatTable } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List pools", fullDescription: "Example: godwit pool list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { pools } = await withApi((api) => api.call("poolList", {}));
    if (flags.json) {
      writeJson(pools);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "EVC MODE", "HOSTS", "VMS WAITING FOR IT"],
        ...pools.map(({ name, baseline, hosts, pendingVms }) => [
          name,
          baseline?.mode ?? "none",
          hosts.join(" "),
          pendingVms.join(" "),
        ]),
      ]),
    );
  },
});
