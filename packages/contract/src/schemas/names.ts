/** Names that people choose and ids that Godwit makes. A name can never look like an id. */
import { z } from "zod";

export const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** 1 to 63 lower-case letters, digits and inner hyphens (RFC 1123 label), and not a UUID. */
export const nameSchema = z
  .string()
  .regex(namePattern, "must be 1 to 63 lower-case letters, digits and inner hyphens")
  .refine((name) => !idPattern.test(name), "must not look like an id");

const id = () => z.string().regex(idPattern, "must be a UUID");

export const vmIdSchema = id().brand<"VmId">();
export const taskIdSchema = id().brand<"TaskId">();
export const moveIdSchema = id().brand<"MoveId">();
export const datastoreIdSchema = id().brand<"DatastoreId">();

export type VmId = z.infer<typeof vmIdSchema>;
export type TaskId = z.infer<typeof taskIdSchema>;
/** A move's id is the id of the task that asked for it. */
export type MoveId = z.infer<typeof moveIdSchema>;
export type DatastoreId = z.infer<typeof datastoreIdSchema>;

export const isId = (text: string): boolean => idPattern.test(text);
export const isName = (text: string): boolean => nameSchema.safeParse(text).success;
