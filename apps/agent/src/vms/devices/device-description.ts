/** A VM's description with a disk or a NIC that comes, goes or changes; no other device gets another place. Pure. */
import {
  GodwitError,
  keptBootOrder,
  nicNumber,
  type DevicePlace,
  type PlaceReason,
  type Vm,
  type VmDisk,
  type VmNic,
} from "@godwit/contract";
import {
  freeNicNumber,
  isPluggable,
  isQ35,
  mayBeBehindPort,
  placeForDisk,
  placeForNic,
  placesOf,
  withPlaces,
  type PlaceRequest,
} from "@godwit/hypervisor";

const mostDisks = 24;
const mostNics = 8;

/** @throws DEVICES_TOO_MANY, DEVICE_HAS_NO_PLACE */
export function withDisk(vm: Vm, disk: VmDisk, request: PlaceRequest): Vm {
  if (vm.disks.length >= mostDisks)
    throw GodwitError.of("DEVICES_TOO_MANY", { vm: vm.name, what: "disks", most: mostDisks });
  const place = placeForDisk(vm, disk.bus, request);
  if (place === null)
    throw GodwitError.of("DEVICE_HAS_NO_PLACE", {
      ...{ vm: vm.name, device: `Disk ${disk.name}`, running: request.running },
      reason: whyNoDisk(vm, disk.bus, request),
    });
  const { disks, nics } = placesOf(vm);
  return withPlaces({ ...vm, disks: [...vm.disks, disk] }, { disks: [...disks, place], nics });
}

function whyNoDisk(vm: Vm, bus: VmDisk["bus"], request: PlaceRequest): PlaceReason {
  if (request.running && bus === "sata") return "sata";
  if (request.running && bus === "scsi") return "noController";
  return whyNoPlace(vm, request);
}

function whyNoPlace(vm: Vm, { running }: PlaceRequest): PlaceReason {
  if (!running || !isQ35(vm)) return "slotsUsed";
  return vm.pciePorts === undefined ? "noPorts" : "portsUsed";
}

/** @throws DEVICE_NOT_REMOVABLE */
export function withoutDisk(vm: Vm, name: string, running: boolean): Vm {
  const { disks } = placesOf(vm);
  const position = vm.disks.findIndex((disk) => disk.name === name);
  const disk = vm.disks[position];
  const place = disks[position];
  if (disk === undefined || place === undefined) return vm;
  const reason = running ? whyStays(vm, disk, place) : null;
  if (reason !== null)
    throw GodwitError.of("DEVICE_NOT_REMOVABLE", { vm: vm.name, device: `Disk ${name}`, reason, running });
  return dropped(vm, new Set([name]), new Set());
}

function whyStays(vm: Vm, { bus }: VmDisk, place: DevicePlace): PlaceReason | null {
  if (bus === "sata") return "sata";
  if (bus === "scsi") return vm.disks.filter((one) => one.bus === bus).length > 1 ? null : "lastOnController";
  return isPluggable(vm, place) ? null : "rootBus";
}

/** @throws DEVICES_TOO_MANY, DEVICE_HAS_NO_PLACE */
export function withNic(vm: Vm, nic: VmNic, request: PlaceRequest): Vm {
  if (vm.nics.length >= mostNics)
    throw GodwitError.of("DEVICES_TOO_MANY", { vm: vm.name, what: "NICs", most: mostNics });
  const place = placeForNic(vm, nic.model, request);
  if (place === null) {
    const isConventional = request.running && isQ35(vm) && !mayBeBehindPort(nic.model);
    throw GodwitError.of("DEVICE_HAS_NO_PLACE", {
      ...{ vm: vm.name, device: `NIC ${nic.mac}`, running: request.running },
      reason: isConventional ? "conventional" : whyNoPlace(vm, request),
    });
  }
  const { disks, nics } = placesOf(vm);
  const added = [...vm.nics, { ...nic, number: freeNicNumber(vm) }];
  return withPlaces({ ...vm, nics: numbered(added) }, { disks, nics: [...nics, place] });
}

/** @param named whether the devices of its NICs have ids in the QEMU that runs. @throws DEVICE_NOT_REMOVABLE */
export function withoutNic(
  vm: Vm,
  mac: string,
  { running, named }: { running: boolean; named: boolean },
): Vm {
  const { nics } = placesOf(vm);
  const position = vm.nics.findIndex((nic) => nic.mac === mac);
  const place = nics[position];
  if (place === undefined) return vm;
  const reason = running ? whyNicStays(vm, place, named) : whyOthersNeed(place, nics.toSpliced(position, 1));
  if (reason !== null)
    throw GodwitError.of("DEVICE_NOT_REMOVABLE", { vm: vm.name, device: `NIC ${mac}`, reason, running });
  return dropped(vm, new Set(), new Set([mac]));
}

function whyNicStays(vm: Vm, place: DevicePlace, named: boolean): PlaceReason | null {
  if (place.function !== undefined) return "sharedSlot";
  if (!isPluggable(vm, place)) return "rootBus";
  return named ? null : "unnamed";
}

/** A guest looks at the functions of a slot only where the first one is. */
const whyOthersNeed = (place: DevicePlace, others: readonly DevicePlace[]): PlaceReason | null =>
  place.function === 0 && others.some(({ slot }) => slot === place.slot) ? "shares" : null;

/** Without devices that are gone, wherever they were. */
export function dropped(vm: Vm, disks: ReadonlySet<string>, macs: ReadonlySet<string>): Vm {
  const places = placesOf(vm);
  const kept = vm.disks.flatMap(({ name }, at) => (disks.has(name) ? [] : [at]));
  const keptNics = vm.nics.flatMap(({ mac }, at) => (macs.has(mac) ? [] : [at]));
  const pick = <T>(list: readonly T[], which: readonly number[]): T[] => which.map((at) => list[at] as T);
  const nics = vm.nics.map((nic, at) => ({ ...nic, number: nicNumber(nic, at) }));
  return withPlaces(
    keptBootOrder({ ...vm, disks: pick(vm.disks, kept), nics: numbered(pick(nics, keptNics)) }),
    { disks: pick(places.disks, kept), nics: pick(places.nics, keptNics) },
  );
}

/** The NIC in another port group, or with its link up or down. */
export const withNicSet = (
  vm: Vm,
  mac: string,
  { portGroup, connected }: { portGroup?: string | undefined; connected?: boolean | undefined },
): Vm => ({
  ...vm,
  nics: vm.nics.map((nic) => {
    if (nic.mac !== mac) return nic;
    const { connected: before, ...rest } = nic;
    const isUp = connected ?? before !== false;
    return { ...rest, portGroup: portGroup ?? nic.portGroup, ...(isUp ? {} : { connected: false as const }) };
  }),
});

/** One NIC alone, by the number that it has among all. */
export function onlyNic(vm: Vm, mac: string): Vm {
  const position = vm.nics.findIndex((nic) => nic.mac === mac);
  const nic = vm.nics[position];
  return { ...vm, nics: nic === undefined ? [] : [{ ...nic, number: nicNumber(nic, position) }] };
}

/** A number is written where it is not the position. */
const numbered = (nics: readonly VmNic[]): VmNic[] =>
  nics.map(({ number, ...nic }, position) =>
    number === undefined || number === position ? nic : { ...nic, number },
  );
