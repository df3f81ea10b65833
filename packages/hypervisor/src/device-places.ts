/**
 * Where each disk and NIC of a VM is. What `vm.json` does not say follows from positions: disks grow upwards from their first slot, in
 * their order; six SATA disks are on one AHCI controller, which is in the slot of the first of them, and all SCSI disks on one
 * controller, in the slot of the first. NICs grow downwards until they meet the disks, and go on as functions of one slot. A device
 * that comes or goes changes no other's place: what would follow differently then is written. Pure.
 */
import {
  mostPorts,
  nicNumber,
  withPlainMemory,
  type DevicePlace,
  type Vm,
  type VmDisk,
  type VmNic,
} from "@godwit/contract";

const firstDiskSlot = 3;
const firstNicSlot = 27;
/** The functions of one slot, for the NICs of a VM whose disks have their slots. */
const sharedNicSlot = 29;
/** How many disks a controller has: ports of AHCI, targets of virtio-scsi. */
const disksOf = { sata: 6, scsi: 256 } as const;

/** Of a VM that has just been powered on. */
const freePorts = 4;

type Placed = Pick<Vm, "machine" | "disks" | "nics" | "pciePorts" | "hostDevices" | "usbSlot">;
type Machine = Placed & Pick<Vm, "memoryDevices">;

export interface DevicePlaces {
  disks: DevicePlace[];
  nics: DevicePlace[];
}

export const placesOf = ({ disks, nics }: Pick<Placed, "disks" | "nics">): DevicePlaces => ({
  disks: placesOfDisks(disks),
  nics: nics.map(({ place }, index) => place ?? placeOfNic(index, disks.length)),
});

function placesOfDisks(disks: readonly Pick<VmDisk, "bus" | "place">[]): DevicePlace[] {
  const seen = { sata: 0, scsi: 0 };
  const slots = new Map<string, number>();
  return disks.map(({ bus, place }, index) => {
    const slot = firstDiskSlot + index;
    if (bus === undefined) return place ?? { slot };
    const unit = seen[bus]++;
    const controller = controllerOf(bus, unit);
    if (!slots.has(controller)) slots.set(controller, slot);
    return place ?? { slot: slots.get(controller), unit };
  });
}

/** QEMU's name of what a disk is on. A dot is in no name that people choose: no disk has such an id. */
export const controllerOf = (bus: NonNullable<VmDisk["bus"]>, unit: number): string =>
  `${bus}.${String(Math.floor(unit / disksOf[bus]))}`;
/** Its place on that. */
export const unitOnController = (bus: NonNullable<VmDisk["bus"]>, unit: number): number =>
  unit % disksOf[bus];

function placeOfNic(index: number, disks: number): DevicePlace {
  const firstFree = firstDiskSlot + disks;
  const own = firstNicSlot - index;
  if (own >= firstFree) return { slot: own };
  const inSlots = Math.max(0, firstNicSlot - firstFree + 1);
  return { slot: sharedNicSlot, function: index - inSlots };
}

/** The VM with its devices' places written, where these would not be the same without. @param places one for each device */
export function withPlaces<V extends Placed>(vm: V, places: DevicePlaces): V {
  const bare = {
    ...vm,
    disks: vm.disks.map(({ place: _, ...disk }) => disk),
    nics: vm.nics.map(({ place: _, ...nic }) => nic),
  };
  if (JSON.stringify(placesOf(bare)) === JSON.stringify(places)) return bare;
  return {
    ...vm,
    disks: bare.disks.map((disk, index) => ({ ...disk, place: places.disks[index] as DevicePlace })),
    nics: bare.nics.map((nic, index) => ({ ...nic, place: places.nics[index] as DevicePlace })),
  };
}

export interface PlaceRequest {
  /** Whether it may be behind a PCIe root port. */
  ports: boolean;
  /** Whether the guest runs: it must be where a device can be plugged in. */
  running: boolean;
}

/** A new disk's place; null: there is none. */
export function placeForDisk(vm: Placed, bus: VmDisk["bus"], request: PlaceRequest): DevicePlace | null {
  if (bus === undefined) return freePlace(vm, request);
  // AHCI takes no disk while the guest runs.
  if (bus === "sata" && request.running) return null;
  const { disks } = placesOf(vm);
  const own = vm.disks.flatMap((disk, index) => (disk.bus === bus ? [disks[index] as DevicePlace] : []));
  const units = new Set(own.map(({ unit = 0 }) => unit));
  const unit = lowestFree(units, 256);
  if (unit === null) return null;
  const beside = own.find((one) => controllerOf(bus, one.unit ?? 0) === controllerOf(bus, unit));
  if (beside !== undefined) return { ...beside, unit };
  // A controller stays as long as its guest runs, so it comes only while it does not.
  const place = request.running
    ? null
    : freePlace(vm, { ...request, ports: request.ports && bus === "scsi" });
  return place === null ? null : { ...place, unit };
}

/** A new NIC's place; null: there is none. */
export function placeForNic(vm: Placed, model: VmNic["model"], request: PlaceRequest): DevicePlace | null {
  const place = freePlace(vm, { ...request, ports: request.ports && mayBeBehindPort(model) });
  if (place !== null || request.running) return place;
  const used = placesOf(vm).nics.flatMap((nic) => (nic.slot === sharedNicSlot ? [nic.function ?? 0] : []));
  const own = lowestFree(new Set(used), 8);
  return own === null ? null : { slot: sharedNicSlot, function: own };
}

/** An e1000 is a conventional PCI device. */
export const mayBeBehindPort = (model: VmNic["model"]): boolean => model !== "e1000";

/** The lowest number that no NIC has, by which its tap and its devices are named. */
export const freeNicNumber = ({ nics }: Pick<Vm, "nics">): number =>
  lowestFree(new Set(nics.map(nicNumber)), Number.MAX_SAFE_INTEGER) as number;

/** Whether a device there can be plugged in and out while the guest runs. */
export const isPluggable = ({ machine }: Pick<Vm, "machine">, place: DevicePlace): boolean =>
  place.port !== undefined || (!isQ35({ machine }) && place.function === undefined);

export const isQ35 = ({ machine }: Pick<Vm, "machine">): boolean => machine.startsWith("pc-q35");

/**
 * A VM as it is powered on: with the ports that it uses and some that are free. Each is a part of the state that a move sends while the
 * guest stands still, so there are not always as many as there can be. So is the USB controller, which no guest can be made to let go. Memory that was plugged in
 * while it ran last is plain memory.
 * @param allowed whether every host knows of PCIe root ports
 */
export function poweredOn<V extends Machine>(vm: V, allowed: boolean): V {
  const { disks, nics } = placesOf(vm);
  const used = Math.max(0, ...[...disks, ...nics].map(({ port = -1 }) => port + 1));
  const { pciePorts: _before, usbSlot: _usb, ...bare } = withPlainMemory(vm);
  const usbSlot = slotForUsb(vm);
  const rest = usbSlot === null ? bare : { ...bare, usbSlot };
  if (!isQ35(vm) || (used === 0 && !allowed)) return rest as V;
  return { ...rest, pciePorts: Math.min(mostPorts, used + freePorts) } as V;
}

function freePlace(vm: Placed, { ports, running }: PlaceRequest): DevicePlace | null {
  const { disks, nics } = placesOf(vm);
  const all = [...disks, ...nics];
  const has = running ? (vm.pciePorts ?? 0) : mostPorts;
  if (isQ35(vm) && ports) {
    const port = lowestFree(new Set(all.flatMap((one) => one.port ?? [])), has);
    if (port !== null) return { port };
  }
  if (isQ35(vm) && running) return null;
  const ofHost = [...hostDeviceSlots(vm), ...(vm.usbSlot === undefined ? [] : [vm.usbSlot])];
  const used = new Set([...all.flatMap((one) => one.slot ?? []), ...ofHost]);
  for (let slot = firstDiskSlot; slot <= firstNicSlot; slot += 1) if (!used.has(slot)) return { slot };
  return null;
}

/** For each PCI device of the host one; fewer where there are no more. The highest that are free. */
export const hostDeviceSlots = (vm: SlotUsers): number[] =>
  freeFromTop(vm)
    .filter((slot) => slot !== vm.usbSlot)
    .slice(0, pciDevicesOf(vm));

/** Of the controller of a VM that is powered on; null: it has no USB device, or there is none. */
const slotForUsb = (vm: SlotUsers): number | null =>
  vm.hostDevices?.some((one) => "usb" in one) === true ? (freeFromTop(vm)[pciDevicesOf(vm)] ?? null) : null;

/** Whether a VM that is powered on has a PCI slot for each device of its host, and one for the controller of those that are USB. */
export const hasHostDeviceSlots = (vm: SlotUsers): boolean =>
  hostDeviceSlots(vm).length === pciDevicesOf(vm) &&
  (vm.usbSlot !== undefined || vm.hostDevices?.some((one) => "usb" in one) !== true);

type SlotUsers = Pick<Placed, "disks" | "nics" | "hostDevices" | "usbSlot">;

const pciDevicesOf = ({ hostDevices = [] }: SlotUsers): number =>
  hostDevices.filter((one) => "pci" in one).length;

function freeFromTop({ disks, nics }: SlotUsers): number[] {
  const places = placesOf({ disks, nics });
  const used = new Set([...places.disks, ...places.nics].flatMap((one) => one.slot ?? []));
  const all = Array.from({ length: firstNicSlot - firstDiskSlot + 1 }, (_, index) => firstNicSlot - index);
  return all.filter((slot) => !used.has(slot));
}

function lowestFree(used: ReadonlySet<number>, count: number): number | null {
  for (let number = 0; number < count; number += 1) if (!used.has(number)) return number;
  return null;
}
