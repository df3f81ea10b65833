/** `godwit host power on` */
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostArgument, jsonFlag, type TaskFlags } from "../../common.ts";

export const onCommand = buildCommand({
  docs: {
    brief: "Power a host on, and wait until it is back",
    fullDescription: `It is back when its agent answers. A host in maintenance stays in maintenance. A host that does not come back in the time
that was set for it (--wake-within of godwit host power set) has an alarm until it has been powered on successfully.

Example: godwit host power on a`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: hostArgument },
  async func(flags: TaskFlags, host: string) {
    await withApi((api) =>
      runTask(api, api.call("hostPowerOn", { params: { host } }), flags, (task) =>
        task.kind === "host.powerOn" && task.result?.wasOff === true
          ? `Host ${host} was powered on, and its agent answers.`
          : `Host ${host} was on already, and its agent answers.`,
      ),
    );
  },
});
