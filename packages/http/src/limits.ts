/**
 * What a caller may use of this program, in numbers: before it is known, and after. Read this before any code that
 * applies it. A caller that is known has shown a certificate of the cluster or the admin token.
 */
import type { Privilege } from "@godwit/contract";
import type { Actor } from "./privileges.ts";

export const limits = {
  handshakeMs: 5000,
  /** Of a request's head, from the connection or the request before it on. */
  headersMs: 10_000,
  /** Of a whole request of a known caller. */
  requestMs: 30_000,
  /** Of the body of a request of an unknown caller. */
  unknownBodyMs: 5000,
  /** Of an answer whose receiver takes nothing of it. */
  answerStallMs: 30_000,
  idleMs: 5000,
  /** Where only callers with a certificate get in: longer than the server pauses between two questions, so that each does not cost a handshake. */
  knownIdleMs: 30_000,
  /** How often the above are looked at. */
  checkEveryMs: 1000,
} as const;

export const connectionLimits = {
  all: 8192,
  /** Further ones of the same address are refused. */
  unknownByAddress: 128,
  /** A further one takes the place of the oldest. */
  unknown: 512,
  /** By certificate. The server holds one for each console that is open on an agent's host. */
  byCertificate: 1024,
} as const;

const kib = 1024;

/** What is held of a body, at most; by who may call. */
export const bodyBytes: Record<Privilege, number> = {
  public: 64 * kib,
  host: 64 * kib,
  server: 1024 * kib,
  admin: 1024 * kib,
};

/** Bodies of unknown callers that are read at the same time. */
export const unknownBodies = { all: 64, byAddress: 8 } as const;

/** Requests are counted for so long. */
export const windowMs = 10_000;

/** Requests in one window. Unknown callers are counted by address, known ones by name. */
export const requestsPerWindow: Record<Actor["kind"], number> = {
  anonymous: 300,
  host: 2000,
  server: 5000,
  admin: 5000,
};

/** Of an address: requests in one window that were refused for who the caller is. */
export const refusalsPerWindow = 30;
