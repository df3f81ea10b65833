/** What can be changed of a VM's disks and NICs, one at a time: what the server asks an agent. */
import { z } from "zod";
import { storedNicModelSchema } from "./device-models.ts";
import { nameSchema } from "./names.ts";
import { diskToAddSchema, macSchema, nicAddressesSchema } from "./vm.ts";

export const nicToAddSchema = z.strictObject({
  portGroup: nameSchema,
  /** Says which NIC it is, also when it is asked again. */
  mac: macSchema,
  addresses: nicAddressesSchema,
  /** Absent: virtio-net. */
  model: storedNicModelSchema.optional(),
});

export const deviceChangeSchema = z.discriminatedUnion("what", [
  z.strictObject({ what: z.literal("addDisk"), disk: diskToAddSchema }),
  z.strictObject({
    what: z.literal("removeDisk"),
    disk: nameSchema,
    /** Its image stays where it is. */
    keepFile: z.boolean(),
  }),
  z.strictObject({
    what: z.literal("resizeDisk"),
    disk: nameSchema,
    sizeMib: z.int().min(1).max(67_108_864),
  }),
  z.strictObject({ what: z.literal("addNic"), nic: nicToAddSchema }),
  z.strictObject({ what: z.literal("removeNic"), mac: macSchema }),
  z.strictObject({
    what: z.literal("setNic"),
    mac: macSchema,
    /** Absent: it stays in its port group. */
    portGroup: nameSchema.optional(),
    /** Whether its link is up; absent: as it is. */
    connected: z.boolean().optional(),
  }),
]);
export type DeviceChange = z.infer<typeof deviceChangeSchema>;

export const deviceOrderSchema = z.strictObject({
  /** The VM's own datastore, and its name: where its folder lies. */
  datastore: nameSchema,
  name: nameSchema,
  change: deviceChangeSchema,
  /** Whether every host knows devices at places of their own: a device may be put behind a PCIe root port. */
  places: z.boolean(),
});
export type DeviceOrder = z.infer<typeof deviceOrderSchema>;

/** In words, as in "add disk data of VM web-1". */
export function changeInWords(change: DeviceChange): string {
  switch (change.what) {
    case "addDisk":
      return `add disk ${change.disk.name} to`;
    case "removeDisk":
      return `remove disk ${change.disk} from`;
    case "resizeDisk":
      return `grow disk ${change.disk} of`;
    case "addNic":
      return `add a NIC on network ${change.nic.portGroup} to`;
    case "removeNic":
      return `remove NIC ${change.mac} from`;
    case "setNic":
      return change.portGroup !== undefined
        ? `connect NIC ${change.mac} to network ${change.portGroup} for`
        : `${change.connected === true ? "connect" : "disconnect"} NIC ${change.mac} of`;
  }
}
