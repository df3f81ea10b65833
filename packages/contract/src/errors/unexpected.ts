/**
 * Errors that were not foreseen where they happened, as problems. A full disk is a condition of the host and named as
 * such, wherever it is met; everything else is a bug, of which the user gets a reference to the log.
 */
import { GodwitError, type Problem } from "./error.ts";

interface SystemError {
  code?: unknown;
  path?: unknown;
}

/** @param path what was written; default: what the error names. @returns null: the error is another one */
export function spaceShort(error: unknown, path?: string): GodwitError | null {
  const { code, path: named } = (error ?? {}) as SystemError;
  if (code !== "ENOSPC" && code !== "EDQUOT") return null;
  const place = path ?? (typeof named === "string" ? named : "A file system of this host");
  return GodwitError.of("SPACE_SHORT", { path: place, neededBytes: 4096, freeBytes: 0 }, { cause: error });
}

/** @param reference by which the log tells of the error */
export function problemOfUnexpected(error: unknown, reference: string): Problem {
  if (GodwitError.is(error)) return error.problem;
  return (spaceShort(error) ?? GodwitError.of("INTERNAL", { reference })).problem;
}
