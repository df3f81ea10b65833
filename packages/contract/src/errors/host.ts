/** Errors about hosts, their join tokens and certificates. */
import { define } from "./define.ts";

export const hostErrors = {
  HOST_UNKNOWN: define<{ host: string; known: string[] }>(
    404,
    "never",
    (d) => `There is no host ${d.host}${d.known.length > 0 ? `; known are ${d.known.join(", ")}` : ""}.`,
    () => "godwit host list shows the hosts; godwit host join adds one.",
  ),
  HOST_EXISTS: define<{ host: string }>(
    409,
    "never",
    (d) => `A host ${d.host} has already joined.`,
    () => "Choose another name, or remove the old host first.",
  ),
  HOST_BUSY: define<{ host: string; vms: string[] }>(
    409,
    "after-fix",
    (d) => `Host ${d.host} still has VMs: ${d.vms.join(", ")}.`,
    () => "Move or stop them first.",
  ),
  HOST_UNREACHABLE: define<{ host: string; url: string; reason: string }>(
    503,
    "later",
    (d) => `Host ${d.host} does not answer at ${d.url}: ${d.reason}.`,
    (d) =>
      `Check that the host is up, that its agent runs (systemctl status godwit-agent on ${d.host}) and that the network between is open.`,
  ),
  TOKEN_INVALID: define<{ reason: "unknown" | "used" | "expired" }>(
    401,
    "after-fix",
    (d) =>
      ({
        unknown: "The join token is not one of this server's.",
        used: "The join token has already been used; a token joins one host.",
        expired: "The join token has expired.",
      })[d.reason],
    () => "Create a new one with: godwit host token",
  ),
  TOKENS_TOO_MANY: define<{ most: number }>(
    409,
    "later",
    (d) => `There are ${String(d.most)} join tokens that have not been used; more are not kept.`,
    () => "Use them, or wait until they expire.",
  ),
  CERTIFICATE_INVALID: define<{ subject: string; reason: string }>(
    401,
    "after-fix",
    (d) => `The certificate of ${d.subject} is not accepted: ${d.reason}.`,
    () => "Join the host again with a new token.",
  ),
} as const;
