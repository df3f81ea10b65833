/** The cluster's certificates. */
export {
  certificatesIn,
  issuerOf,
  createAuthority,
  createKeyAndRequest,
  fingerprintOf,
  issueCertificate,
  lifeOf,
  type Issue,
  type KeyAndCertificate,
  type Unit,
} from "./authority.ts";
