/**
 * A VM's CD-ROM drives: as its owner describes them, as they stand in `vm.json`, and how they change. A medium is an ISO
 * image on a datastore, which QEMU only reads; a drive that is not connected has its medium noted, and nothing is open.
 */
import { z } from "zod";
import { datastorePathSchema } from "./datastore-path.ts";
import { nameSchema } from "./names.ts";

/** What the IDE bus has, of both kinds of machine. */
export const mostCdroms = 4;

export const cdromDescriptionSchema = z
  .strictObject({
    name: nameSchema,
    /** An ISO image, relative to its datastore; absent: the drive is empty. */
    iso: datastorePathSchema.optional(),
    /** Where the image lies; absent: on the VM's own datastore. */
    datastore: nameSchema.optional(),
    /** Whether the medium is in the drive; absent: it is, where there is one. */
    connected: z.boolean().optional(),
    /** What the drive is on; absent: the IDE bus. */
    bus: z.enum(["ide", "virtio-scsi"]).optional(),
  })
  .refine((drive) => drive.iso !== undefined || drive.datastore === undefined, "datastore needs an iso")
  .refine((drive) => drive.iso !== undefined || drive.connected !== true, "connected needs an iso");
export type CdromDescription = z.infer<typeof cdromDescriptionSchema>;

export const cdromMediumSchema = z.strictObject({ datastore: nameSchema, path: datastorePathSchema });
export type CdromMedium = z.infer<typeof cdromMediumSchema>;

export const cdromSchema = z
  .strictObject({
    name: nameSchema,
    medium: cdromMediumSchema.nullable(),
    connected: z.boolean(),
    /** Absent: the IDE bus. */
    bus: z.literal("virtio-scsi").optional(),
  })
  .refine(({ medium, connected }) => medium !== null || !connected, "connected needs a medium");
export type Cdrom = z.infer<typeof cdromSchema>;

/** A drive as it is described, with nothing left open. @param ofVm the datastore of the VM itself */
export const cdromOf = ({ name, iso, datastore, connected, bus }: CdromDescription, ofVm: string): Cdrom => ({
  name,
  medium: iso === undefined ? null : { datastore: datastore ?? ofVm, path: iso },
  connected: connected ?? iso !== undefined,
  ...(bus === "virtio-scsi" ? { bus } : {}),
});
