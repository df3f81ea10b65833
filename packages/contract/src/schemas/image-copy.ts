/** How far the copy of an image is that becomes a new VM's disk, or comes into the library. */
import { z } from "zod";
import { amountSchema } from "./host-facts.ts";
import { nameSchema } from "./names.ts";

export const imageCopySchema = z.object({
  /** The new VM's disk, or the name of the image. */
  disk: nameSchema,
  /** `flushing`: all is copied, and the storage writes out what it holds back. */
  phase: z.enum(["copying", "flushing"]),
  /** What the image takes on its storage: holes in it are not copied. */
  totalBytes: amountSchema,
  copiedBytes: amountSchema,
  /** Of the last seconds. */
  bytesPerSecond: amountSchema,
  /** Null while it is not known. */
  etaMs: amountSchema.nullable(),
});
export type ImageCopy = z.infer<typeof imageCopySchema>;
