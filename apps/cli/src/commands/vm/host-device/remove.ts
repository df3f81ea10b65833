/** `godwit vm host-device remove` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostDeviceArguments, jsonFlag, type TaskFlags } from "../../common.ts";

export const removeHostDeviceCommand = buildCommand({
  docs: {
    brief: "Take a device of its host from a VM",
    fullDescription: `A USB device is taken while the VM runs, too; for a PCI device it must be stopped.

Example: godwit vm host-device remove web-1 dongle`,
  },
  parameters: { flags: { json: jsonFlag, detach: detachFlag }, positional: hostDeviceArguments },
  async func(flags: TaskFlags, vm: string, name: string) {
    await withApi(async (api) => {
      const params = { vm };
      const { hostDevices: before = [] } = (await api.call("vmShow", { params })).config;
      const hostDevices = before.filter((device) => device.name !== name);
      if (hostDevices.length === before.length)
        throw GodwitError.of("HOST_DEVICE_UNKNOWN", { vm, name, known: before.map((device) => device.name) });
      const body = { hostDevices, basis: { hostDevices: before } };
      await runTask(
        api,
        api.call("vmSet", { params, body }),
        flags,
        `VM ${vm} does not have host device ${name}.`,
      );
    });
  },
});
