/** `godwit vm host-device add` */
import { GodwitError } from "@godwit/contract/errors";
import { buildCommand } from "@stricli/core";
import { withApi } from "../../../connection.ts";
import { runTask } from "../../../run-task.ts";
import { detachFlag, hostDeviceArguments, jsonFlag, type TaskFlags } from "../../common.ts";

interface Flags extends TaskFlags {
  pci?: string;
  usb?: string;
}

export const addHostDeviceCommand = buildCommand({
  docs: {
    brief: "Give a VM a PCI or USB device of its host",
    fullDescription: `The VM must be stopped. With such a device it does not move while it runs, and is started only on a host that has it. A PCI device must
have driver vfio-pci, with all that is in its IOMMU group. What a host has: godwit host show HOST

Examples:
  godwit vm host-device add web-1 gpu --pci 0000:01:00.0
  godwit vm host-device add web-1 dongle --usb 0529:0001`,
  },
  parameters: {
    flags: {
      json: jsonFlag,
      detach: detachFlag,
      pci: { kind: "parsed", parse: String, brief: "PCI address, like 0000:01:00.0", optional: true },
      usb: {
        kind: "parsed",
        parse: String,
        brief: "Ids of vendor and product, like 0529:0001",
        optional: true,
      },
    },
    positional: hostDeviceArguments,
  },
  async func({ pci, usb, ...flags }: Flags, vm: string, name: string) {
    const device =
      pci !== undefined && usb === undefined
        ? { name, pci }
        : usb !== undefined && pci === undefined
          ? { name, usb }
          : null;
    if (device === null)
      throw GodwitError.of("USAGE", {
        what: "One device is to be named.",
        hint: "Give --pci ADDRESS, or --usb VENDOR:PRODUCT.",
      });
    await withApi(async (api) => {
      const params = { vm };
      const { hostDevices: before = [] } = (await api.call("vmShow", { params })).config;
      const body = { hostDevices: [...before, device], basis: { hostDevices: before } };
      await runTask(api, api.call("vmSet", { params, body }), flags, `VM ${vm} has host device ${name}.`);
    });
  },
});
