/**
 * A file on its way to a datastore, over a WebSocket. Binary messages are its bytes, from whoever has it; text messages are
 * `UploadMessage`s, from the host that writes it.
 */
import { z } from "zod";
import { problemSchema } from "../errors/schemas.ts";
import { parseJson } from "../json.ts";
import { datastorePathSchema } from "./datastore-path.ts";
import { nameSchema } from "./names.ts";

/** Of a binary message. */
export const uploadPieceBytes = 256 * 1024;
/** So much may be on its way without being written: then the sender waits. */
export const uploadWindowBytes = 4 * 1024 * 1024;

/** What is to be written: exactly so many bytes. */
export const agentUploadQuerySchema = z.strictObject({
  path: datastorePathSchema,
  bytes: z.coerce
    .number()
    .int()
    .min(0)
    .max(2 ** 50),
});
export type AgentUploadQuery = z.output<typeof agentUploadQuerySchema>;
/** `host`: that writes it. Absent: one that can use the datastore. */
export const uploadQuerySchema = agentUploadQuerySchema.extend({ host: nameSchema.optional() });

const uploadMessageSchema = z.discriminatedUnion("type", [
  /** So much of it is written. */
  z.object({ type: z.literal("taken"), bytes: z.int().min(0) }),
  /** It is there under its name, and durable: the last message. */
  z.object({ type: z.literal("done"), host: nameSchema, sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  /** It is not there: the last message. */
  z.object({ type: z.literal("ended"), problem: problemSchema }),
]);
export type UploadMessage = z.infer<typeof uploadMessageSchema>;

/** A text message; null: this version does not know it. */
export function readUploadMessage(text: string): UploadMessage | null {
  try {
    return uploadMessageSchema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null;
  }
}
