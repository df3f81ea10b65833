/** `godwit vm register` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeJson, writeLine } from "../../output/screen.ts";
import { hostFlag, jsonFlag, type JsonFlags } from "../common.ts";

export const registerCommand = buildCommand({
  docs: {
    brief: "Add a VM to the inventory from its folder on a datastore",
    fullDescription: "Example: godwit vm register shared web-1",
  },
  parameters: {
    flags: { json: jsonFlag, host: hostFlag("that has the datastore") },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "Datastore", placeholder: "datastore", parse: String },
        { brief: "Name of the VM's folder", placeholder: "name", parse: String },
      ],
    },
  },
  async func(flags: JsonFlags & { host?: string }, datastore: string, name: string) {
    const vm = await withApi((api) =>
      api.call("vmRegister", { body: { datastore, name, host: flags.host } }),
    );
    if (flags.json) writeJson(vm);
    else writeLine(`VM ${vm.name} is registered on host ${vm.host}.`);
  },
});
