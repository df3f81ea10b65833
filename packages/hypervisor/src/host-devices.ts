/**
 * Devices of the host as QEMU's arguments, and what QEMU must see of the host for them. Their PCI slots are the highest that no disk and no
 * NIC has: a VM with such devices never moves while it runs, so that they need be the same only from power-on to power-off. The USB controller
 * stays when the last USB device is removed, and moves with the VM then: its slot is a part of the description.
 */
import { hostDeviceText, type HostDevice, type Vm } from "@godwit/contract";
import { slotAddress } from "./device-options.ts";
import { hostDeviceSlots } from "./device-places.ts";
import type { LaunchSpec } from "./launch-spec.ts";

/** A dot is in no name that people choose. */
const usbBus = "usb.bus";
/** For devices of USB 2 and 3 each, as many as a VM may have. */
const usbPorts = 8;

export const hostDeviceId = ({ name }: Pick<HostDevice, "name">): string => `host.${name}`;

export function hostDeviceArguments({
  vm,
  hostDevices = [],
}: Pick<LaunchSpec, "vm" | "hostDevices">): string[] {
  const devices = vm.hostDevices ?? [];
  const slots = hostDeviceSlots(vm);
  const at = (slot: number | undefined): string => {
    if (slot === undefined) throw new TypeError(`no PCI slot for host devices of VM ${vm.name}`);
    const { bus, addr } = slotAddress(vm, slot);
    return `bus=${bus},addr=${addr}`;
  };
  const [pci, usb] = [devices.filter((one) => "pci" in one), devices.filter((one) => "usb" in one)];
  const controller = `qemu-xhci,id=${usbBus},p2=${String(usbPorts)},p3=${String(usbPorts)}`;
  return [
    ...pci.flatMap((one, index) => [
      "-device",
      `vfio-pci,id=${hostDeviceId(one)},host=${one.pci},${at(slots[index])}`,
    ]),
    ...(usb.length === 0 && vm.usbSlot === undefined ? [] : ["-device", `${controller},${at(vm.usbSlot)}`]),
    ...usb.flatMap((one) => [
      "-device",
      `usb-host,id=${hostDeviceId(one)},bus=${usbBus}.0,hostdevice=${nodeOf(one, hostDevices)}`,
    ]),
  ];
}

function nodeOf(device: HostDevice, places: NonNullable<LaunchSpec["hostDevices"]>): string {
  const node = places.find(({ name }) => name === device.name)?.node;
  if (node === undefined) throw new TypeError(`no place for ${hostDeviceText(device)}`);
  return node;
}

/** What a process may pin: all of the guest's memory, which such a device may write to, and its registers. Null: it has no such device. */
export const pinnedBytes = ({
  hostDevices = [],
  memoryMib,
}: Pick<Vm, "hostDevices" | "memoryMib">): number | null =>
  hostDevices.some((one) => "pci" in one) ? (memoryMib + 1024) * 1024 * 1024 : null;
