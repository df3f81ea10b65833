/**
 * Snapshots of a VM: a point in time of all of its disks and, where the VM ran and that was asked for, of its memory. Which there
 * are, and their names, stands in `vm.json`; what the disks then held is inside their qcow2 images, under a tag made from the id.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";

/** Also of a chain that was made and deleted over and over. */
export const mostSnapshots = 16;

export const snapshotIdSchema = z.uuid();

/** Free text for people, one line. */
export const snapshotNoteSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}]*$/u, "must be one line without control characters");

/** What its memory can be loaded by: the same accelerator, and a QEMU that is not older. */
export const snapshotMemorySchema = z.strictObject({
  accelerator: z.enum(["kvm", "tcg"]),
  /** Like `7.2.22`. */
  qemuVersion: z.string().max(40),
});

/** @param described what the VM was then: all but its name, its id and where it lies */
export const snapshotSchemaOf = <Described extends z.ZodObject>(described: Described) =>
  z.strictObject({
    id: snapshotIdSchema,
    name: nameSchema,
    note: snapshotNoteSchema.optional(),
    createdAt: z.iso.datetime(),
    /** The snapshot that the VM was at before this one; null: none. */
    parent: snapshotIdSchema.nullable(),
    /** Null: of the disks only. */
    memory: snapshotMemorySchema.nullable(),
    /** Absent: it is complete. Else it is being made or deleted, or that was cut off: what is left of it is removed. */
    unfinished: z.enum(["making", "deleting"]).optional(),
    vm: described,
  });

/** The name that QEMU knows it by inside of each image. */
export const snapshotTag = (id: string): string => `godwit-${id}`;

/** What an agent is asked. */
const whoseSchema = z.strictObject({ datastore: nameSchema, name: nameSchema });

export const snapshotOrderSchema = whoseSchema.extend({
  snapshot: z.strictObject({
    id: snapshotIdSchema,
    name: nameSchema,
    note: snapshotNoteSchema.optional(),
    createdAt: z.iso.datetime(),
    memory: z.boolean(),
  }),
});
export type SnapshotOrder = z.infer<typeof snapshotOrderSchema>;

export const snapshotReferenceSchema = whoseSchema.extend({ id: snapshotIdSchema });
export type SnapshotReference = z.infer<typeof snapshotReferenceSchema>;
