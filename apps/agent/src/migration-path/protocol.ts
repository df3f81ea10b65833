/**
 * What the two ends of a try say to each other, over one TCP connection as QEMU would make it:
 *
 *   source        its proof of the secret
 *   destination   its own proof
 *   source        `bulkBytes` of zeros; the destination says a byte for every `markEvery` that it got
 *   destination   `bulkBytes` of zeros, and the end
 *
 * Proofs and marks fit into small packets and bulk goes in full-size ones: that the first arrive and not one byte of the
 * second does tells of packets that are too large for something on the way. The bytes are QEMU's way and not ICMP's, which
 * firewalls treat otherwise; TCP sends segments of the size that both ends announce, so what is tried is what a stream does.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

export const proofBytes = 32;
/** Each way. Enough for some hundred packets and a figure of the rate; a hundredth of a second on a gigabit link. */
export const bulkBytes = 1 << 20;
export const markEvery = 1 << 16;
export const marks = bulkBytes / markEvery;
export const mark = 0x2e;

/** Three attempts of the kernel: at once, after a second, after three. */
export const connectMs = 3500;
/** Nothing new for this long: TCP has sent it again at least three times. */
export const stallMs = 2500;
/** A listener lives no longer, whatever happens. */
export const listenMs = 12_000;

export const proofOf = (secret: string, end: "source" | "destination"): Buffer =>
  createHmac("sha256", Buffer.from(secret, "hex")).update(end).digest();

export const isProof = (found: Buffer, secret: string, end: "source" | "destination"): boolean =>
  found.length === proofBytes && timingSafeEqual(found, proofOf(secret, end));
