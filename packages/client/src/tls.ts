/** How a client shows who it is, and knows who the other side is. */
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type PeerCertificate,
  type SecureContext,
} from "node:tls";

export interface ClientTls {
  /** PEM of the authority that signed the other side's certificate. */
  ca: string;
  /** Own certificate and key, PEM. */
  cert?: string;
  key?: string;
  /** Made of the three above by `sharedContext`: clients that show the same certificate need it only once. */
  context?: SecureContext;
  /** The name that the other side's certificate must carry; default: the URL's host. */
  servername?: string;
  /** The organisational unit (role in the cluster) that it must carry too. */
  unit?: string;
  /** Whether the other side's certificate counts, whose name and role are right; why not. */
  check?: (certificate: PeerCertificate) => Error | undefined;
}

/** For many clients that show the same certificate. */
export const sharedContext = ({ ca, cert, key }: Pick<ClientTls, "ca" | "cert" | "key">): SecureContext =>
  createSecureContext({ ca, cert, key });

export function tlsOptions(tls: ClientTls | undefined): ConnectionOptions {
  if (tls === undefined) return {};
  const { unit, context, ca, cert, key, servername, check } = tls;
  return {
    secureContext:
      context ??
      sharedContext({ ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) }),
    ...(servername === undefined ? {} : { servername }),
    ...(unit === undefined
      ? {}
      : {
          checkServerIdentity: (host, certificate) => {
            const found = String(certificate.subject.OU);
            if (found !== unit) return new Error(`its certificate is for the role ${found}, not ${unit}`);
            return checkServerIdentity(host, certificate) ?? check?.(certificate);
          },
        }),
  };
}
