/** `godwit vm stop` */
import { buildCommand, numberParser } from "@stricli/core";
import { withApi } from "../../connection.ts";
import { runTask } from "../../run-task.ts";
import { detachFlag, jsonFlag, vmArgument, type TaskFlags } from "../common.ts";

export const stopCommand = buildCommand({
  docs: {
    brief: "Power a VM off",
    fullDescription: `Sends an ACPI power button event. If the guest has not shut down within the grace time, the VM is powered off hard.

Example: godwit vm stop web-1 --grace 30`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      grace: {
        kind: "parsed",
        parse: numberParser,
        brief: "Seconds that the guest has to shut down",
        default: "60",
      },
    },
    positional: vmArgument,
  },
  async func(flags: TaskFlags & { grace: number }, vm: string) {
    await withApi((api) =>
      runTask(
        api,
        api.call("vmStop", { params: { vm }, body: { graceSeconds: flags.grace } }),
        flags,
        `VM ${vm} is stopped.`,
      ),
    );
  },
});
