/** What the server shows to a host, and who may answer as the host. Pure. */
import type { PeerCertificate, SecureContext } from "node:tls";
import type { ClientTls } from "@godwit/client";
import { certificateOf, type CertificateOf } from "@godwit/contract";
import type { HostRow } from "@godwit/store";

export interface LinkedHost extends Pick<HostRow, "name" | "agentUrl"> {
  /** Whether a certificate, which has the host's name, is its newest. */
  accepts: (certificate: CertificateOf) => boolean;
}

export interface LinkIdentity {
  caPem: string;
  certificatePem: string;
  keyPem: string;
}

/** What a link shows of it: made once for all. */
export interface ShownIdentity extends LinkIdentity {
  context: SecureContext;
}

/** Who answers must be the host, by the newest certificate that it has used. */
export function linkTls(
  { name, accepts }: Pick<LinkedHost, "name" | "accepts">,
  { context, caPem, certificatePem, keyPem }: ShownIdentity,
): ClientTls {
  const check = ({ subjectaltname, fingerprint256 }: PeerCertificate): Error | undefined =>
    accepts(certificateOf(subjectaltname, fingerprint256))
      ? undefined
      : new Error("its certificate is not that of the member, or not its newest");
  return {
    ...{ context, ca: caPem, cert: certificatePem, key: keyPem },
    ...{ servername: name, unit: "host", check },
  };
}
