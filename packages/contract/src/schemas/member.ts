/**
 * Which hosts belong to the cluster: the server's word, pushed to every agent. A member is known by an id that its
 * certificates carry. It stays the same when a certificate is renewed, and is another one when the host joins again. The
 * certificates of one member are numbered: those before the one that it has used last count no more.
 */
import { z } from "zod";
import { nameSchema } from "./names.ts";

/** 64 hexadecimal digits. */
export const memberIdSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be a member's id");

export const memberListSchema = z.object({
  /** Grows with every host that joins or is removed: an agent never goes back to an earlier list. */
  generation: z.int().min(0),
  hosts: z
    .array(
      z.object({
        name: nameSchema,
        id: memberIdSchema,
        /** The number of the earliest certificate that counts. Absent: all do, as a server of an earlier version says. */
        certificate: z.int().min(0).optional(),
      }),
    )
    .max(10_000),
});
export type MemberList = z.infer<typeof memberListSchema>;

const prefix = "urn:godwit:member:";
const numberPrefix = "urn:godwit:certificate:";

/** Whose a host's certificate is, and which of its certificates. */
export interface CertificateOf {
  id: string;
  /** 0: of a version that did not number them. */
  number: number;
}

/** The number of the one that a host gets when it joins, with an id that no other certificate carries. */
export const firstCertificate = 1;

/** How that stands in a certificate, among the alternative names. */
export const certificateUrns = ({ id, number }: CertificateOf): string[] => [
  prefix + id,
  ...(number === 0 ? [] : [numberPrefix + String(number)]),
];

/**
 * Whose a certificate is. One of an earlier version carries no id: its fingerprint is the id then, also of the
 * certificates that it is renewed by.
 * @param subjectAltName as Node reports it
 * @param fingerprint SHA-256, with or without colons
 */
export function certificateOf(subjectAltName: string | undefined, fingerprint: string): CertificateOf {
  const names = (subjectAltName ?? "").split(", ").map((name) => name.replace(/^URI:/, ""));
  const after = (start: string) => names.find((name) => name.startsWith(start))?.slice(start.length);
  const number = after(numberPrefix) ?? "";
  return {
    id: after(prefix) ?? fingerprint.replaceAll(":", "").toLowerCase(),
    number: /^[1-9]\d{0,8}$/.test(number) ? Number(number) : 0,
  };
}

/**
 * The name by which a host's QEMU is known at the receiving end of a migration stream: only the certificate that was issued
 * with this one of its agent carries it. Those of a version that did not number them carry the host's name alone.
 */
export const migrationName = (host: string, { id, number }: CertificateOf): string =>
  number === 0 ? host : `${String(number)}.${id.slice(0, 32)}.${host}`;
