/** `godwit vm register-all` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { jsonFlag, type JsonFlags } from "../common.ts";

export const registerAllCommand = buildCommand({
  docs: {
    brief: "Add every VM to the inventory that connected hosts have and it does not know",
    fullDescription: `For a server that was restored from a backup or created with --adopt. VMs run on meanwhile. One is left out, with
the reason, where a host that is not connected may run it: ask again when all hosts have joined.

Example: godwit vm register-all`,
  },
  parameters: { flags: { json: jsonFlag } },
  async func(flags: JsonFlags) {
    const { registered, left, absent } = await withApi((api) => api.call("vmRegisterAll", {}));
    if (flags.json) writeJson({ registered, left, absent });
    else {
      for (const { name, host } of registered) writeLine(`registered  ${name} on ${host}`);
      for (const { name, datastore, host, reason } of left)
        writeLine(`left out    ${[datastore, name].filter(Boolean).join("/")} on ${host}: ${reason}`);
      for (const host of absent) writeLine(`not asked   ${host}: it is not connected`);
      if (registered.length + left.length === 0)
        writeLine("The inventory knows all VMs of the connected hosts.");
    }
    if (left.length + absent.length > 0) process.exitCode = 1;
  },
});
