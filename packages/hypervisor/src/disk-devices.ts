/**
 * What the guest sees each disk as. Every disk has its place for the VM's life (`device-places.ts`): a virtio-blk device a slot or a
 * port of its own; SATA and SCSI disks a controller, which comes with the first of its disks, and a number on it. Pure.
 */
import type { DevicePlace, VmDisk } from "@godwit/contract";
import { controllerOf, unitOnController } from "./device-places.ts";

export type DeviceOptions = Readonly<Record<string, string | number | undefined>> & {
  driver: string;
  id: string;
};

export interface DiskDevice {
  /** That comes with this disk, for QEMU's `-device`; null: it needs none, or has one already. */
  controller: DeviceOptions | null;
  device: DeviceOptions;
}

/** @param addressOf QEMU's options for a place */
export function diskDevices(
  disks: readonly Pick<VmDisk, "name" | "bus">[],
  places: readonly DevicePlace[],
  addressOf: (place: DevicePlace) => Record<string, string | number>,
): DiskDevice[] {
  const made = new Set<string>();
  return disks.map(({ name, bus }, index) => {
    const place = places[index] as DevicePlace;
    if (bus === undefined)
      return { controller: null, device: { driver: "virtio-blk-pci", id: name, ...addressOf(place) } };
    const number = place.unit ?? 0;
    const id = controllerOf(bus, number);
    const unit = unitOnController(bus, number);
    const driver = bus === "scsi" ? "virtio-scsi-pci" : "ich9-ahci";
    const controller = made.has(id) ? null : { driver, id, ...addressOf(place) };
    made.add(id);
    const device =
      bus === "scsi"
        ? { driver: "scsi-hd", id: name, bus: `${id}.0`, "scsi-id": unit }
        : { driver: "ide-hd", id: name, bus: `${id}.${String(unit)}` };
    return { controller, device };
  });
}
