/** The cluster's certificate authority, and what a host trusts. */
import { z } from "zod";
import { nameSchema } from "./names.ts";

const fingerprintSchema = z.string().regex(/^[0-9a-f]{64}$/);
const oneAuthoritySchema = z.object({ fingerprint: fingerprintSchema, until: z.iso.datetime() });

export const authorityViewSchema = z.object({
  /** Null: no new authority is taking the place of this one. */
  phase: z.enum(["trusting", "replacing", "closing"]).nullable(),
  /** Signs now. */
  signing: oneAuthoritySchema,
  next: oneAuthoritySchema.nullable(),
  /** How far each host is in this phase; empty without one. */
  hosts: z.array(
    z.object({ host: nameSchema, state: z.enum(["ready", "behind", "absent"]), reason: z.string() }),
  ),
});
export type AuthorityView = z.infer<typeof authorityViewSchema>;

/** An agent's certificates: the fingerprints of the authorities that it trusts, and of the one that signed its own. */
export const hostTrustSchema = z.object({
  authorities: z.array(fingerprintSchema),
  issuedBy: fingerprintSchema.nullable(),
});
export type HostTrust = z.infer<typeof hostTrustSchema>;
