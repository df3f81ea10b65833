/** Devices of a host that a VM is to have for itself, with what is at each address there: said once, so that a change that is asked for again is the same. */
import {
  GodwitError,
  hostDeviceProblem,
  hostDeviceText,
  sameHostDevice,
  type HostDeviceDescription,
  type HostFacts,
  type VmView,
} from "@godwit/contract";

/** Those that the VM has already stay as they are. @throws HOST_DEVICE_MISSING */
export function withIds(
  { name: vm, config }: VmView,
  devices: readonly HostDeviceDescription[],
  { name: host, hostDevices = { pci: [], usb: [] } }: HostFacts,
): HostDeviceDescription[] {
  return devices.map((device) => {
    const had = sameHostDevice(config.hostDevices ?? [], device);
    if (had !== null) return had;
    if (hostDeviceProblem(device, hostDevices) === "missing") {
      const { name } = device;
      throw GodwitError.of("HOST_DEVICE_MISSING", { vm, host, name, device: hostDeviceText(device) });
    }
    if ("usb" in device) return device;
    const id = hostDevices.pci.find(({ address }) => address === device.pci)?.id;
    return { ...device, ...(id === undefined ? {} : { id }) };
  });
}
