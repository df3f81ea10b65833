/** QEMU's options for a VM's devices, the same on its command line and for what is plugged into it while it runs. Pure. */
import { nicNumber, type DevicePlace, type Vm } from "@godwit/contract";
import { bootIndex } from "./boot-order.ts";
import { isQ35, placesOf } from "./device-places.ts";
import type { DeviceOptions } from "./disk-devices.ts";

/** The functions of this slot are PCIe root ports. */
const portsSlot = 1;

const hex = (number: number): string => `0x${number.toString(16)}`;
const rootBus = (vm: Pick<Vm, "machine">): string => (isQ35(vm) ? "pcie.0" : "pci.0");
/** A dot is in no name that people choose: no disk has such an id. */
const portId = (port: number): string => `port.${String(port)}`;

/** A device's own slot on the root bus. */
export const slotAddress = (vm: Pick<Vm, "machine">, slot: number) => ({ bus: rootBus(vm), addr: hex(slot) });

export function addressOf(vm: Pick<Vm, "machine">, place: DevicePlace): Record<string, string> {
  if (place.port !== undefined) return { bus: portId(place.port), addr: "0x0" };
  const { bus, addr } = slotAddress(vm, place.slot ?? 0);
  if (place.function === undefined) return { bus, addr };
  return { bus, addr: `${addr}.${String(place.function)}`, multifunction: "on" };
}

/** What devices are plugged into while the guest runs. */
export const rootPorts = (vm: Pick<Vm, "machine" | "pciePorts">): DeviceOptions[] =>
  Array.from({ length: vm.pciePorts ?? 0 }, (_, port) => ({
    ...{ driver: "pcie-root-port", id: portId(port), bus: rootBus(vm) },
    ...{ addr: `${hex(portsSlot)}.${hex(port).slice(2)}`, multifunction: "on", chassis: port + 1 },
  }));

/** A guest whose disk fails stands still instead of losing its file systems, and tries again when it goes on. */
export const diskErrors = { werror: "stop", rerror: "stop" } as const;

export const nicId = (number: number): string => `nic.${String(number)}`;
export const netdevId = (number: number): string => `net${String(number)}`;

/** What a NIC sends to. @param interfaceName of its tap */
export const nicNetdev = (number: number, interfaceName: string) => ({
  ...{ type: "tap", id: netdevId(number), ifname: interfaceName },
  ...{ script: "no", downscript: "no", vhost: false },
});

/**
 * The boot ROM of a NIC that is booted from: memory that a move sends. Its room is the same wherever the VM runs, and builds of iPXE
 * that differ in size fit: those of today have 256 KiB.
 */
const bootRom = { romsize: 1048576 };

/** @param position of the NIC in the VM's list */
export function nicDevice(
  vm: Pick<Vm, "machine" | "disks" | "nics"> & Partial<Pick<Vm, "bootOrder" | "boot">>,
  position: number,
): DeviceOptions {
  const nic = vm.nics[position] as Vm["nics"][number];
  const number = nicNumber(nic, position);
  const place = placesOf(vm).nics[position] as DevicePlace;
  const index = bootIndex(vm, `nic:${String(number)}`);
  return {
    ...{ driver: nic.model ?? "virtio-net-pci", id: nicId(number), netdev: netdevId(number) },
    ...{ mac: nic.mac, ...(index.bootindex === undefined ? { romfile: "" } : bootRom) },
    ...addressOf(vm, place),
    ...index,
  };
}
