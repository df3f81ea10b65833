/**
 * The cluster's certificate authority and what it signs. The subject of a certificate is decided here,
 * never taken from a request: `OU` is the holder's role, `CN` its name. Names are also DNS names, so
 * that a caller checks who answers by name whatever the address is.
 */
import "reflect-metadata";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  AuthorityKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { certificateUrns, GodwitError, type CertificateOf } from "@godwit/contract";
import type { webcrypto } from "node:crypto";

cryptoProvider.set(crypto);

/** ECDSA P-256: understood by Node's TLS and by QEMU's GnuTLS. */
const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signatureAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;

/** Clocks of hosts differ a little: a new certificate is valid since five minutes ago. */
const skewMs = 5 * 60_000;
const dayMs = 86_400_000;

/** Whose certificate it is: an agent's, a QEMU migration stream's, or the server's. */
export type Unit = "host" | "migration" | "server";

export interface KeyAndCertificate {
  certificatePem: string;
  keyPem: string;
}

export async function createAuthority(name: string): Promise<KeyAndCertificate> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - skewMs),
    notAfter: new Date(Date.now() + 3650 * dayMs),
    signingAlgorithm: signatureAlgorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: text(certificate.toString("pem")), keyPem: await exportKey(keys.privateKey) };
}

/** A new key, and the request with which its holder proves to have it. */
export async function createKeyAndRequest(
  commonName: string,
): Promise<{ keyPem: string; requestPem: string }> {
  const keys = await generateKeys();
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: signatureAlgorithm,
  });
  return { keyPem: await exportKey(keys.privateKey), requestPem: text(request.toString("pem")) };
}

export interface Issue {
  authority: KeyAndCertificate;
  requestPem: string;
  unit: Unit;
  commonName: string;
  /** Further DNS names and IP addresses beside the common name. */
  dnsNames?: string[];
  ipAddresses?: string[];
  validDays: number;
  /** Of a host: the member that it is, and which of its certificates this is. */
  member?: CertificateOf;
}

/** @throws REQUEST_INVALID when the request is not one, or its signature does not fit its key */
export async function issueCertificate(issue: Issue): Promise<string> {
  const request = readRequest(issue.requestPem);
  if (!(await request.verify())) throw invalidRequest("its signature does not fit its key");
  const authority = new X509Certificate(issue.authority.certificatePem);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `OU=${issue.unit}, CN=${issue.commonName}`,
    issuer: authority.subject,
    notBefore: new Date(Date.now() - skewMs),
    notAfter: new Date(Date.now() + issue.validDays * dayMs),
    signingAlgorithm: signatureAlgorithm,
    publicKey: request.publicKey,
    signingKey: await importKey(issue.authority.keyPem),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      // QEMU 10.0 asks for key encipherment, which TLS 1.3 has no use for.
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        ...[issue.commonName, ...(issue.dnsNames ?? [])].map((value) => ({ type: "dns" as const, value })),
        ...(issue.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
        ...(issue.member === undefined ? [] : certificateUrns(issue.member)).map((value) => ({
          type: "url" as const,
          value,
        })),
      ]),
      await SubjectKeyIdentifierExtension.create(request.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority),
    ],
  });
  return text(certificate.toString("pem"));
}

/** SHA-256 of a certificate, 64 hexadecimal digits. */
export async function fingerprintOf(certificatePem: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new X509Certificate(certificatePem).rawData);
  return Buffer.from(digest).toString("hex");
}

/** Each certificate of a text that may hold several. */
export const certificatesIn = (pem: string): string[] =>
  pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.map(text) ?? [];

/** Of the trusted authorities, the fingerprint of the one that signed a certificate; null: none. */
export async function issuerOf(certificatePem: string, trustPem: string): Promise<string | null> {
  const certificate = new X509Certificate(certificatePem);
  for (const authority of certificatesIn(trustPem)) {
    const { publicKey } = new X509Certificate(authority);
    if (await certificate.verify({ publicKey, signatureOnly: true })) return await fingerprintOf(authority);
  }
  return null;
}

/** When a certificate begins and ends to count, and when two thirds of that are over: then it is to be renewed. */
export function lifeOf(certificatePem: string): { from: Date; renewAt: Date; until: Date } {
  const { notBefore, notAfter } = new X509Certificate(certificatePem);
  const from = notBefore.getTime() + skewMs;
  const renewAt = from + ((notAfter.getTime() - from) * 2) / 3;
  return { from: new Date(from), renewAt: new Date(renewAt), until: notAfter };
}

function readRequest(pem: string): Pkcs10CertificateRequest {
  try {
    return new Pkcs10CertificateRequest(pem);
  } catch (error) {
    throw invalidRequest((error as Error).message, error);
  }
}

function invalidRequest(reason: string, cause?: unknown): GodwitError {
  return GodwitError.of("REQUEST_INVALID", { where: "certificate request", problems: [reason] }, { cause });
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return text(PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY"));
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const [raw] = PemConverter.decode(pem);
  if (raw === undefined) throw new TypeError("no key in the PEM text");
  return await crypto.subtle.importKey("pkcs8", raw, keyAlgorithm, false, ["sign"]);
}

/** 16 random bytes; positive and without a leading zero. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

const text = (pem: string): string => (pem.endsWith("\n") ? pem : `${pem}\n`);
