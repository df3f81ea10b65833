/** `godwit datastore remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { datastoreArgument, hostFlag } from "../common.ts";

export const removeCommand = buildCommand({
  docs: {
    brief: "Remove a datastore from the inventory, or from one host",
    fullDescription: `What is on the storage stays there. Refused while a VM of the inventory has its folder or an ISO image on it.

Examples:
  godwit datastore remove scratch
  godwit datastore remove local --host c`,
  },
  parameters: { flags: { host: hostFlag("that is not to have it any more") }, positional: datastoreArgument },
  async func(flags: { host?: string }, datastore: string) {
    const { host } = flags;
    const query = host === undefined ? {} : { host };
    await withApi((api) => api.call("datastoreRemove", { params: { datastore }, query }));
    writeLine(
      host === undefined
        ? `Datastore ${datastore} is removed. What is on its storage stays there.`
        : `Datastore ${datastore} is removed from host ${host}.`,
    );
  },
});
