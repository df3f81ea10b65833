/** A file inside a datastore. */
import { z } from "zod";

/** Relative, without `..`. */
export const datastorePathSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, "must be a relative path of plain names")
  .refine((path) => !path.split("/").includes(".."), "must stay inside the datastore");
