/**
 * Where a guest finds a disk or a NIC, for the VM's life: in a PCI slot of the root bus, or behind a PCIe root port, which devices are
 * plugged into while the guest runs. In `vm.json` it is written where it does not follow from the device's position in its list.
 */
import { z } from "zod";

/** The PCIe root ports of a q35 VM: the functions of one slot. */
export const mostPorts = 8;

export const devicePlaceSchema = z
  .strictObject({
    /** On the root bus: of the device, or of the controller that a disk is on. */
    slot: z.int().min(1).max(30).optional(),
    /** Of a NIC that shares its slot. */
    function: z.int().min(0).max(7).optional(),
    /** A PCIe root port instead of a slot. */
    port: z
      .int()
      .min(0)
      .max(mostPorts - 1)
      .optional(),
    /** Of a disk on a controller: its number there. */
    unit: z.int().min(0).max(255).optional(),
  })
  .refine(({ slot, port }) => (slot === undefined) !== (port === undefined), "needs either slot or port")
  .refine((place) => place.function === undefined || place.slot !== undefined, "function needs slot");
export type DevicePlace = z.infer<typeof devicePlaceSchema>;

interface Placed {
  disks: readonly { place?: unknown }[];
  nics: readonly { place?: unknown; number?: unknown; connected?: unknown }[];
  pciePorts?: unknown;
}

/** Whether a VM has what agents of before devices could be changed do not know. */
export const hasPlaces = ({ disks, nics, pciePorts }: Placed): boolean =>
  pciePorts !== undefined ||
  disks.some(({ place }) => place !== undefined) ||
  nics.some(
    ({ place, number, connected }) => place !== undefined || number !== undefined || connected !== undefined,
  );

/** A NIC's number, by which its tap and its devices are named: its position, unless it has one of its own. */
export const nicNumber = ({ number }: { number?: number | undefined }, position: number): number =>
  number ?? position;
