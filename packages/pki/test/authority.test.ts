/** OpenSSL is the judge of what Godwit's authority signs. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createAuthority, createKeyAndRequest, fingerprintOf, issueCertificate } from "../src/index.ts";

test("OpenSSL accepts the chain and reads the names that were decided", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pki-"));
  try {
    const authority = await createAuthority("godwit test");
    // The request asks for another name than the authority gives.
    const { requestPem } = await createKeyAndRequest("root");
    const certificate = await issueCertificate({
      authority,
      requestPem,
      unit: "host",
      commonName: "a",
      ipAddresses: ["10.1.2.3"],
      validDays: 30,
    });
    await writeFile(join(folder, "ca.pem"), authority.certificatePem);
    await writeFile(join(folder, "a.pem"), certificate);
    const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, encoding: "utf8" });
    expect(
      openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "a.pem"),
    ).toContain("OK");
    expect(
      openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "ca.pem", "a.pem"),
    ).toContain("OK");
    const words = openssl("x509", "-in", "a.pem", "-noout", "-subject", "-ext", "subjectAltName");
    expect(words).toMatch(/OU ?= ?host.*CN ?= ?a/);
    expect(words).toContain("DNS:a, IP Address:10.1.2.3");
    const print = openssl("x509", "-in", "a.pem", "-noout", "-fingerprint", "-sha256").split("=")[1] ?? "";
    expect(await fingerprintOf(certificate)).toBe(print.trim().replaceAll(":", "").toLowerCase());
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a request that is not one is refused", async () => {
  const authority = await createAuthority("godwit test");
  const issue = { authority, unit: "host" as const, commonName: "a", validDays: 1 };
  const garbage = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
  await expect(issueCertificate({ ...issue, requestPem: garbage })).rejects.toMatchObject({
    code: "REQUEST_INVALID",
  });
});
