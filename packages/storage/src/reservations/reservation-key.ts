/**
 * The key by which a host registers with a LUN for SCSI-3 persistent reservations, 64 bits: a mark of Godwit's, who the host is, and a
 * generation, another with each registration. Who the host is follows from its name alone, so that others know its keys without asking
 * it, and without reading a storage that may hang. Pure.
 */
import { createHash } from "node:crypto";

/** 16 hexadecimal digits in lower case. */
export type ReservationKey = string;

const mark = "67";
export const mostGeneration = 0xffff;

/** @param generation from 0 to 65535 */
export const keyOf = (host: string, generation: number): ReservationKey =>
  `${prefixOf(host)}${generation.toString(16).padStart(4, "0")}`;

/** Whichever generation it is of. */
export const isKeyOf = (host: string, key: ReservationKey): boolean => key.startsWith(prefixOf(host));

export const isGodwits = (key: ReservationKey): boolean => /^67[0-9a-f]{14}$/.test(key);

/** Of 40 bits: two of 2000 hosts have the same with a probability of 2 in a million, and then a fence of one ends the VMs of both. */
const prefixOf = (host: string): string =>
  mark + createHash("sha256").update(`godwit host ${host}`).digest("hex").slice(0, 10);
