/** `godwit vm list` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { formatTable } from "../../output/format.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const listCommand = buildCommand({
  docs: { brief: "List VMs", fullDescription: "Example: godwit vm list --json" },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { vms } = await withApi((api) => api.call("vmList", {}));
    if (flags.json) {
      writeJson(vms);
      return;
    }
    writeLine(
      formatTable([
        ["NAME", "STATE", "HOST", "MEMORY", "VCPUS", "DATASTORE"],
        ...vms.map(({ name, state, host, config }) => [
          name,
          state,
          host,
          `${String(config.memoryMib)} MiB`,
          String(config.vcpus),
          config.datastore,
        ]),
      ]),
    );
  },
});
