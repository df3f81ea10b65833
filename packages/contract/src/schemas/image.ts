/**
 * The library of images: files in the folder `images` of a datastore, which VMs' disks are copies of. What is known of each is the
 * inventory's.
 */
import { z } from "zod";
import { datastorePathSchema, foreignPathSchema } from "./datastore-path.ts";
import { amountSchema } from "./host-facts.ts";
import { imageChecksumSchema, imageFormatSchema } from "./image-source.ts";
import { nameSchema, taskIdSchema } from "./names.ts";

/** Where an image comes from. Without encryption nobody could tell what was sent but by its checksum. */
export const imageOriginSchema = z.union([
  z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: "must be an address that begins with https:// or http://" })
        .max(2000)
        .refine((url) => {
          const { username, password, hostname } = new URL(url);
          return username === "" && password === "" && hostname !== "";
        }, "must have a host, and no user and password"),
      checksum: imageChecksumSchema.optional(),
    })
    .refine(
      ({ url, checksum }) => /^https:/i.test(url) || checksum !== undefined,
      "what comes over http:// needs a checksum",
    ),
  z.strictObject({
    datastore: nameSchema,
    path: foreignPathSchema,
    checksum: imageChecksumSchema.optional(),
  }),
]);
export type ImageOrigin = z.infer<typeof imageOriginSchema>;

export const originText = (origin: ImageOrigin): string =>
  "url" in origin ? origin.url : `${origin.datastore}:${origin.path}`;

export const newImageSchema = z.strictObject({
  name: nameSchema,
  /** That it is to lie on. */
  datastore: nameSchema,
  from: imageOriginSchema,
  /** Absent: its content tells. Of a raw image it is only known that it is none of the others. */
  format: imageFormatSchema.optional(),
  /** That fetches it; absent: one that sees the datastore. */
  host: nameSchema.optional(),
});
export type NewImage = z.infer<typeof newImageSchema>;

/** As a host is asked for it; `id` is the task's. */
export const imageOrderSchema = newImageSchema.omit({ host: true }).extend({ id: taskIdSchema });
export type ImageOrder = z.infer<typeof imageOrderSchema>;

/** A file of the library: nothing else is ever deleted as one. */
export const imagePathSchema = datastorePathSchema.regex(
  /^images\/[a-z0-9][a-z0-9-]*\.[0-9a-f]{8}\.(?:qcow2|raw|vmdk|vdi|vhdx|vpc)$/,
  "must be a file of the library",
);

export const imageFileSchema = z.object({
  /** Relative to its datastore. */
  path: imagePathSchema,
  format: imageFormatSchema,
  /** Of the file. */
  bytes: amountSchema,
  /** That a guest would see. */
  virtualBytes: amountSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"),
});
export type ImageFile = z.infer<typeof imageFileSchema>;

export const imageViewSchema = imageFileSchema.extend({
  name: nameSchema,
  datastore: nameSchema,
  /** Where it came from, in words. */
  origin: z.string(),
  addedAt: z.iso.datetime(),
});
export type ImageView = z.infer<typeof imageViewSchema>;
