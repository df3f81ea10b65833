/**
 * Which hosts belong to the cluster: the server's word, pushed to every agent. A member is known by an id that its
 * certificates carry. It stays the same when a certificate is renewed, and is another one when the host joins again.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";

/** 64 hexadecimal digits. */
export const memberIdSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be a member's id");

export const memberListSchema = z.object({
  /** Grows with every host that joins or is removed: an agent never goes back to an earlier list. */
  generation: z.int().min(0),
  hosts: z.array(z.object({ name: nameSchema, id: memberIdSchema })).max(10_000),
});
export type MemberList = z.infer<typeof memberListSchema>;

const prefix = "urn:godwit:member:";

/** How a member's id stands in its certificate, among the alternative names. */
export const memberUrn = (id: string): string => prefix + id;

/**
 * The id of a certificate's member. A certificate of an earlier version carries none: its fingerprint is the id then,
 * also of the certificates that it is renewed by.
 * @param subjectAltName as Node reports it
 * @param fingerprint SHA-256, with or without colons
 */
export function memberIdOf(subjectAltName: string | undefined, fingerprint: string): string {
  const urn = (subjectAltName ?? "")
    .split(", ")
    .map((name) => name.replace(/^URI:/, ""))
    .find((name) => name.startsWith(prefix));
  return urn?.slice(prefix.length) ?? fingerprint.replaceAll(":", "").toLowerCase();
}
