/** Errors about requests, rights, the machine and the program itself. */
import { define } from "./define.ts";

export const generalErrors = {
  USAGE: define<{ what: string; hint: string }>(
    400,
    "never",
    (d) => d.what,
    (d) => d.hint,
  ),
  REQUEST_INVALID: define<{ where: string; problems: string[] }>(
    400,
    "never",
    (d) => `The ${d.where} is not valid: ${d.problems.join("; ")}.`,
    () => "Correct the named fields and send the request again.",
  ),
  ROUTE_UNKNOWN: define<{ method: string; path: string }>(
    404,
    "never",
    (d) => `There is no operation ${d.method} ${d.path}.`,
    () => "See /api/v1/openapi.json for the operations that exist.",
  ),
  UNAUTHENTICATED: define<{ reason: string }>(
    401,
    "after-fix",
    (d) => `The request was not authenticated: ${d.reason}.`,
    () => "Give the admin token (GODWIT_TOKEN or --token-file) or a certificate of this cluster.",
  ),
  FORBIDDEN: define<{ who: string; needs: string }>(
    403,
    "never",
    (d) => `${d.who} may not do this; it needs ${d.needs}.`,
    () => "Use credentials that have this privilege.",
  ),
  RATE_LIMITED: define<{ retryAfterSeconds: number }>(
    429,
    "later",
    (d) => `Too many requests; the next is accepted in ${String(d.retryAfterSeconds)} s.`,
    () => "Wait and send fewer requests at once.",
  ),
  INTERNAL: define<{ reference: string }>(
    500,
    "later",
    (d) => `Godwit itself failed; this is a bug (reference ${d.reference}).`,
    () => "Look for the reference in the log of the server or agent and report it.",
  ),
  PROGRAM_MISSING: define<{ program: string; package: string; host?: string }>(
    500,
    "after-fix",
    (d) => `The program ${d.program} is not installed${d.host === undefined ? "" : ` on host ${d.host}`}.`,
    (d) => `Install Debian's package ${d.package}, or run ./godwit setup.`,
  ),
  PROGRAM_FAILED: define<{ program: string; what: string; output: string }>(
    500,
    "after-fix",
    (d) => `${d.program} failed while ${d.what}: ${d.output}`,
    (d) =>
      `If its message does not say what to change, run ${d.program} by hand; the log has the whole call.`,
  ),
  PROGRAM_NOT_STARTED: define<{ program: string; what: string; reason: string }>(
    503,
    "later",
    (d) => `${d.program} could not be started for ${d.what}: ${d.reason}.`,
    () => "Free file descriptors, memory or processes on this host, and try again.",
  ),
  PROCESS_UNREADABLE: define<{ pid: number; reason: string }>(
    503,
    "later",
    (d) => `Whether process ${String(d.pid)} lives could not be seen: ${d.reason}.`,
    () =>
      "Nothing was done about it, and it is looked at again. Free file descriptors or memory on this host.",
  ),
  FILE_UNTRUSTED: define<{ path: string; reason: string }>(
    500,
    "after-fix",
    (d) => `The file ${d.path} is not used: ${d.reason}.`,
    () => "Godwit did not put it there. Find out who did, and remove it.",
  ),
  NOT_ROOT: define<{ what: string }>(
    403,
    "after-fix",
    (d) => `${d.what} needs root.`,
    () => "Run the same command with sudo.",
  ),
  PORT_IN_USE: define<{ address: string }>(
    409,
    "after-fix",
    (d) => `The address ${d.address} is already in use.`,
    () => "Stop the program that listens there (ss -ltnp shows it) or choose another address.",
  ),
  SPACE_SHORT: define<{ path: string; neededBytes: number; freeBytes: number }>(
    507,
    "after-fix",
    (d) =>
      `${d.path} has ${String(Math.floor(d.freeBytes / 1048576))} MiB free; ${String(Math.ceil(d.neededBytes / 1048576))} MiB are needed.`,
    (d) => `Free space on the file system of ${d.path} or choose another place.`,
  ),
  /** `kept` null: nothing was written that could be. */
  EDITOR_FAILED: define<{ editor: string; reason: string; kept: string | null }>(
    400,
    "after-fix",
    (d) => `The editor (${d.editor}) ${d.reason}. Nothing was changed.`,
    (d) => `Set another in EDITOR or VISUAL.${d.kept === null ? "" : ` The text is in ${d.kept}.`}`,
  ),
  FILE_UNREADABLE: define<{ path: string; reason: string }>(
    400,
    "after-fix",
    (d) => `The file ${d.path} cannot be read: ${d.reason}.`,
    () => "Check the path and its permissions.",
  ),
  CONFIG_INVALID: define<{ path: string; problems: string[] }>(
    400,
    "after-fix",
    (d) => `The configuration ${d.path} is not valid: ${d.problems.join("; ")}.`,
    (d) => `Correct ${d.path} and start again.`,
  ),
  CONNECTION_FAILED: define<{ url: string; reason: string }>(
    503,
    "later",
    (d) => `${d.url} could not be reached: ${d.reason}.`,
    () =>
      "Check that the program there runs, that the address and the certificates are right, and that the clocks of both machines are.",
  ),
  OUTCOME_UNKNOWN: define<{ url: string; what: string; reason: string }>(
    504,
    "later",
    (d) =>
      `The connection to ${d.url} was lost while ${d.what}; whether it was done is not known (${d.reason}).`,
    () => "Check the object's state before you try again.",
  ),
} as const;
