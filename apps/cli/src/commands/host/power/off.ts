/** `godwit host power off` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostArgument, jsonFlag, type TaskFlags } from "../../common.ts";

export const offCommand = buildCommand({
  docs: {
    brief: "Shut down a host that is in maintenance and has no VMs",
    fullDescription: `The BMC has its operating system shut down; a host with Wake-on-LAN only is shut down by its agent, where its configuration
allows commands (updates: commands in agent.yaml). The command waits until the host is off. It is in standby then: no alarm,
and no VM is started again for it. VMs that it may have run start elsewhere only when their leases allow it, as ever.

With --force its power is cut at once. That needs a host in maintenance without VMs, too.

Examples:
  godwit host maintenance enter a
  godwit host power off a
  godwit host power off a --force`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      force: {
        kind: "boolean",
        brief: "Cut its power, without a shutdown",
        default: false,
        withNegated: false,
      },
    },
    positional: hostArgument,
  },
  async func(flags: TaskFlags & { force: boolean }, host: string) {
    const body = { force: flags.force };
    await withApi((api) =>
      runTask(api, api.call("hostPowerOff", { params: { host }, body }), flags, (task) =>
        task.kind === "host.powerOff" && task.result?.power === "off"
          ? `Host ${host} is off.`
          : `Host ${host} has shut down and does not answer; Wake-on-LAN cannot tell whether it is off.`,
      ),
    );
  },
});
