/** Why a call failed, for people, and whether it can have been done. */

/** Errors of a connection that was never established: nothing can have been done. */
const neverConnected = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "NOT_CONNECTED",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
]);

const plainReasons: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has ended",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: the clock of one of the two machines is wrong",
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no route to that address",
  ENOTFOUND: "the name is unknown",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it asks for a certificate of its cluster",
  ECONNRESET: "the connection was closed",
  EPIPE: "the connection was closed",
};

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? "";

export const cannotBeDone = (error: unknown): boolean => neverConnected.has(codeOf(error));

export function reasonOf(error: unknown): string {
  const { message } = error as { message?: string };
  return plainReasons[codeOf(error)] ?? message ?? String(error);
}
