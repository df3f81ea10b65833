/** `godwit datastore init` */
import { buildCommand } from "@stricli/core";
import { writeLine } from "../../output/screen.ts";
import { requireRoot } from "../../require-root.ts";
import { configFlag, nameArgument } from "../common.ts";

export const initCommand = buildCommand({
  docs: {
    brief: "Mark new storage as a datastore",
    fullDescription: `Run on one host that has the datastore, by the inventory or by its agent's configuration, with the storage mounted. A folder
that is not marked is used by no host: it may be one whose storage is not mounted. A datastore that is marked already stays
as it is. godwit datastore add --init does the same from anywhere.

Example: godwit datastore init shared`,
  },
  parameters: {
    flags: {
      config: configFlag,
      onRoot: {
        kind: "boolean",
        brief: "Also where a shared datastore's folder lies on the root file system",
        default: false,
      },
    },
    positional: nameArgument("datastore", "Name"),
  },
  async func(flags: { config: string; onRoot: boolean }, name: string) {
    requireRoot("Marking a datastore");
    const { HostDatastores, initDatastore, readAgentConfig } = await import("@godwit/agent");
    const config = await readAgentConfig(flags.config);
    const isNew = await initDatastore(config, await HostDatastores.read(config), name, flags.onRoot);
    writeLine(
      isNew
        ? `Datastore ${name} is marked. Other hosts that mount it use it as it is.`
        : `Datastore ${name} was marked before.`,
    );
  },
});
