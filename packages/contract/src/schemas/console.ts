/**
 * A VM's serial console as a WebSocket. Binary messages are the console's bytes, in both directions; text
 * messages are `ConsoleMessage`s, from the side that has the console.
 */
import { z } from "zod";
import { problemSchema } from "../errors/schemas.ts";
import { parseJson } from "../json.ts";
import { nameSchema } from "./names.ts";

const tailBytes = z.coerce
  .number()
  .int()
  .min(0)
  .max(1024 * 1024)
  .default(0);

export const consoleQuerySchema = z.strictObject({
  /** Only look. Any number of people may; one may type. */
  readOnly: z.stringbool().default(false),
  /** So much of the output before now is shown first. */
  tailBytes,
  /** Take the console from whoever has it. */
  force: z.stringbool().default(false),
  /** Who types, for others who would like to. */
  user: z
    .string()
    .max(100)
    .regex(/^[\x20-\x7e]*$/, "must be printable ASCII")
    .default("somebody"),
});

export const agentConsoleQuerySchema = z.strictObject({
  readOnly: z.stringbool().default(false),
  tailBytes,
  /** Goes on where an earlier connection broke off; the output of another process is given from its beginning. */
  process: z.string().optional(),
  at: z.coerce.number().int().min(0).optional(),
});
export type AgentConsoleQuery = z.output<typeof agentConsoleQuerySchema>;

export const consoleMessageSchema = z.discriminatedUnion("type", [
  /** `process` and `at`, of an agent, say where in which process's output the bytes begin. */
  z.object({
    type: z.literal("attached"),
    host: nameSchema,
    process: z.string().optional(),
    at: z.number().int().optional(),
  }),
  /** The connection broke off and is established again: the VM moves, or its host's agent is being restarted. */
  z.object({ type: z.literal("waiting"), host: nameSchema }),
  /** The last message. */
  z.object({ type: z.literal("ended"), problem: problemSchema }),
]);
export type ConsoleMessage = z.infer<typeof consoleMessageSchema>;

/** A text message; null: this version does not know it. */
export function readConsoleMessage(text: string): ConsoleMessage | null {
  try {
    return consoleMessageSchema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null;
  }
}
