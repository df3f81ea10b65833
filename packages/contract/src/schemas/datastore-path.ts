/** Files inside a datastore. */
import { z } from "zod";

/** Relative, without `..`. */
export const datastorePathSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/, "must be a relative path of plain names")
  .refine((path) => !path.split("/").includes(".."), "must stay inside the datastore");

/** As above, of an image or a description that another product has named: `Web Server (old)/disk 1.vmdk`. */
export const foreignPathSchema = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[^/:"\\\p{Cc}]+(?:\/[^/:"\\\p{Cc}]+)*$/u, 'must be a relative path without : " and \\')
  .refine(
    (path) => !path.split("/").some((name) => name === ".." || name === "."),
    "must stay inside the datastore",
  );
