/**
 * What the guest sees each disk as. Every disk has a number for the VM's life, its place among all disks, and with it a PCI slot:
 * a virtio-blk device is in its own; SATA disks are six to an AHCI controller, which is in the slot of its first disk, and all SCSI
 * disks are on one virtio-scsi controller in the slot of the first. So a disk that comes last changes no other's address. Pure.
 */
import type { VmDisk } from "@godwit/contract";

export interface DiskDevice {
  /** Of the controller that comes with this disk, for QEMU's `-device`; null: it needs none, or has one already. */
  controller: string | null;
  device: { driver: string; place: string };
}

/** What AHCI has. */
const portsOfController = 6;

/** @param slotOf the PCI address of a disk, by its number */
export function diskDevices(
  disks: readonly Pick<VmDisk, "bus">[],
  slotOf: (index: number) => string,
): DiskDevice[] {
  const seen = { sata: 0, scsi: 0 };
  return disks.map(({ bus }, index) => {
    if (bus === undefined)
      return { controller: null, device: { driver: "virtio-blk-pci", place: slotOf(index) } };
    const number = seen[bus]++;
    if (bus === "scsi") {
      // A dot is in no name that people choose: no disk has such an id.
      const controller = number === 0 ? `virtio-scsi-pci,id=scsi.0,${slotOf(index)}` : null;
      return { controller, device: { driver: "scsi-hd", place: `bus=scsi.0.0,scsi-id=${String(number)}` } };
    }
    const id = `sata.${String(Math.floor(number / portsOfController))}`;
    const port = number % portsOfController;
    const controller = port === 0 ? `ich9-ahci,id=${id},${slotOf(index)}` : null;
    return { controller, device: { driver: "ide-hd", place: `bus=${id}.${String(port)}` } };
  });
}
