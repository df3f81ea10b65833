/** A VM that has a device of its host for itself stays there while it runs; at rest it starts only where there is such a device. */
import {
  finding,
  hostDeviceProblem,
  hostDeviceText,
  type Finding,
  type HostDevice,
  type HostFacts,
  type Vm,
} from "@godwit/contract";
import type { ColdRequirement, Requirement } from "../facts.ts";

const of = (vm: { name: string }, host: string, device: HostDevice) => ({
  ...{ vm: vm.name, host, name: device.name, device: hostDeviceText(device) },
});

export const hostDevices: Requirement = ({ vm, source, target }) => [
  ...(vm.hostDevices ?? []).map((device) =>
    finding("HOST_DEVICE_TIED", { ...of(vm, source.name, device), usb: "usb" in device }),
  ),
  ...withoutController(vm, target),
];

/** The controller of USB devices that were removed while the VM ran goes with it. */
function withoutController({ usbSlot }: Vm, target: HostFacts): Finding[] {
  if (usbSlot === undefined || target.abilities?.includes("hostDevices") === true) return [];
  const { name: host, agentVersion: version } = target;
  return [finding("AGENT_CANNOT", { host, version, what: "know devices of their host" })];
}

export const hostDevicesAtRest: ColdRequirement = ({ vm, source, target }) => [
  ...withoutController(vm, target),
  ...(vm.hostDevices ?? []).flatMap((device) => {
    const isMissing =
      target.hostDevices === undefined || hostDeviceProblem(device, target.hostDevices) === "missing";
    if (isMissing) return [finding("HOST_DEVICE_MISSING", of(vm, target.name, device))];
    if (source === null) return [];
    return [finding("HOST_DEVICE_TIED", { ...of(vm, source.name, device), usb: "usb" in device }, "warning")];
  }),
];
