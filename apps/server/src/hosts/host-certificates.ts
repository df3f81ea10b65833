/** The certificates of hosts: of the agent and of QEMU's migration streams, for a member and a limited time. */
import { randomBytes } from "node:crypto";
import { migrationName, type CertificateOf } from "@godwit/contract";
import { issueCertificate, lifeOf, type KeyAndCertificate } from "@godwit/pki";

export interface HostRequests {
  certificateRequest: string;
  migrationCertificateRequest: string;
}

export interface HostCertificates {
  certificate: string;
  migrationCertificate: string;
  endsAt: Date;
}

/** Of a host that joins, also of one that joins again: what its earlier certificates carry counts no more. */
export const newMemberId = (): string => randomBytes(32).toString("hex");

/** @throws REQUEST_INVALID */
export async function issueHostCertificates(
  authority: KeyAndCertificate,
  validDays: number,
  host: string,
  member: CertificateOf,
  requests: HostRequests,
): Promise<HostCertificates> {
  const issue = { authority, commonName: host, member, validDays };
  const requestPem = requests.certificateRequest;
  const certificate = await issueCertificate({ ...issue, requestPem, unit: "host" });
  const migrationCertificate = await issueCertificate({
    ...issue,
    requestPem: requests.migrationCertificateRequest,
    unit: "migration",
    dnsNames: [migrationName(host, member)],
  });
  return { certificate, migrationCertificate, endsAt: lifeOf(certificate).until };
}
