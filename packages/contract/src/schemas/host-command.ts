/** A command that an operator has a host run, as root, while no VM runs there. */
import { z } from "zod";

/** Of what a command has written, the end: the rest is not kept. */
export const keptOutputBytes = 65_536;

/** A text for `/bin/sh -c`. */
export const commandTextSchema = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes("\0"), "must not contain NUL");
export const commandIdSchema = z.uuid();

export const hostCommandSchema = z.strictObject({
  command: commandTextSchema,
  /** It is ended then. */
  timeoutSeconds: z.int().min(1).max(86_400),
});
export type HostCommand = z.infer<typeof hostCommandSchema>;

export const hostCommandViewSchema = z.object({
  /** `interrupted`: it is gone and left no exit code, as when the host was switched off. */
  state: z.enum(["running", "ended", "interrupted"]),
  /** 124 or 137: its time was over. Null: it has not ended, or left none. */
  exitCode: z.int().nullable(),
  /** The end of what it wrote to its standard output and error; empty while it runs. */
  output: z.string().max(2 * keptOutputBytes),
});
export type HostCommandView = z.infer<typeof hostCommandViewSchema>;
