/** The cluster's certificates. */
export {
  createAuthority,
  createKeyAndRequest,
  fingerprintOf,
  issueCertificate,
  type Issue,
  type KeyAndCertificate,
  type Unit,
} from "./authority.ts";
