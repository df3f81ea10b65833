/** `godwit host remove` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { writeLine } from "../../output/screen.ts";
import { hostArgument } from "../common.ts";

export const removeCommand = buildCommand({
  docs: {
    brief: "Remove a host from the cluster",
    fullDescription: `Its certificate is no longer accepted. A host that VMs or tasks still need is not removed: godwit host
maintenance enter moves its VMs away. Use --force for a host that has failed for good: you confirm that it is powered
off, and its VMs may be started on other hosts. A host whose agent answers is not removed by force.

Example: godwit host remove c`,
  },
  parameters: {
    flags: { force: { kind: "boolean", brief: "The host is powered off for good", default: false } },
    positional: hostArgument,
  },
  async func(flags: { force: boolean }, host: string) {
    await withApi((api) =>
      api.call("hostRemove", { params: { host }, query: { force: flags.force ? "true" : "false" } }),
    );
    writeLine(`Host ${host} is removed.`);
  },
});
