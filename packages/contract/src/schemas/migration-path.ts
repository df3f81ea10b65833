/**
 * The way of a migration stream, tried from end to end before a move: the destination listens for one connection, the
 * source makes it and sends full-size packets there and back. Only the server can order it, at both ends.
 */
import { z } from "zod";
import { ipAddressSchema, portSchema } from "./addresses.ts";
import { nameSchema } from "./names.ts";

/** Made for one try; who does not know it gets nothing from the listener, and is ended. */
const probeSecretSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be 32 bytes in hexadecimal");

export const probeListenSchema = z.strictObject({ secret: probeSecretSchema, from: nameSchema });
export const probeListeningSchema = z.object({ address: ipAddressSchema, port: portSchema });
export const probeRunSchema = z.strictObject({
  secret: probeSecretSchema,
  to: nameSchema,
  address: ipAddressSchema,
  port: portSchema,
});

export const pathFaultSchema = z.enum([
  /** The source has no route to the address. */
  "noRoute",
  /** The source has the destination's address itself. */
  "ownAddress",
  /** The source's own firewall forbids the connection. */
  "forbidden",
  /** Nobody on the link answers for the address, or for the router's on the way to it (ARP, neighbour discovery). */
  "noNeighbour",
  /** The connection is not answered at all, though there is somebody. */
  "filtered",
  /** The connection is refused. */
  "rejected",
  /** Something else than the destination's agent answers. */
  "foreign",
  /** Small packets arrive and full-size ones do not: from the source, or to it. */
  "sendsLost",
  "receivesLost",
  /** It broke or stood still later. */
  "broken",
]);
export type PathFault = z.infer<typeof pathFaultSchema>;

export const pathProbeSchema = z.object({
  /** The interface and address that the source uses, and the router; null: there is no route. */
  route: z.object({ link: z.string(), source: z.string(), gateway: z.string().nullable() }).nullable(),
  fault: pathFaultSchema.nullable(),
  /** The system's words for the fault. */
  reason: z.string().nullable(),
  connectMs: z.number().nullable(),
  /** Of the best quarter of a short transfer each way; null where it did not come to its end. */
  sendBitsPerSecond: z.number().nullable(),
  receiveBitsPerSecond: z.number().nullable(),
});
export type PathProbe = z.infer<typeof pathProbeSchema>;
