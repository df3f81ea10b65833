/** A new certificate authority takes the place of the old one: what is trusted and signed in each phase, also over a crash. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKeyAndRequest, certificatesIn, fingerprintOf, issueCertificate, issuerOf } from "@godwit/pki";
import { afterEach, beforeEach, expect, test } from "vitest";
import { advanceAuthority, readAuthority, settleAuthority } from "../src/authority/authority-files.ts";
import { isReady, phaseAfter, phases } from "../src/authority/phases.ts";
import { currentServerCertificate, openDataFolder } from "../src/data-folder.ts";
import { initServer } from "../src/index.ts";

let folder: string;
let pki: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-authority-"));
  pki = join(folder, "pki");
  await initServer(folder);
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const fingerprints = async (pem: string) =>
  await Promise.all(certificatesIn(pem).map((one) => fingerprintOf(one)));
const advance = () => advanceAuthority(pki, "Test authority");

test("in each phase a certificate of any host that is ready for it is trusted by every other", async () => {
  const old = await readAuthority(pki);
  const [before = ""] = await fingerprints(old.trustPem);
  // What a host has that was brought up in the phase before, and one in this phase.
  let last = { trustPem: old.trustPem, certificate: await issued(old.signing) };
  for (const phase of [...phases, null]) {
    const now = await advance();
    expect(now.rotation?.phase ?? null).toBe(phase);
    const renewed = { trustPem: now.trustPem, certificate: await issued(now.signing) };
    for (const one of [last, renewed])
      for (const other of [last, renewed])
        expect(await issuerOf(one.certificate, other.trustPem)).not.toBeNull();
    // Clients' file is what is trusted.
    expect(await readFile(join(pki, "ca-cert.pem"), "utf8")).toBe(now.trustPem);
    const trust = {
      authorities: await fingerprints(renewed.trustPem),
      issuedBy: await issuerOf(renewed.certificate, renewed.trustPem),
    };
    const [, next = ""] =
      now.rotation === null ? [] : await fingerprints(old.trustPem + now.rotation.next.certificatePem);
    if (phase !== null) expect(isReady(phase, trust, { before, next })).toBe(true);
    // The server's own certificate follows what signs.
    const server = await currentServerCertificate(await openDataFolder(folder), 30);
    expect(await issuerOf(server.certificatePem, now.signing.certificatePem)).not.toBeNull();
    last = renewed;
  }
  expect(await fingerprints(last.trustPem)).not.toContain(before);
  expect((await readdir(pki)).filter((name) => /before|next|rotation/.test(name))).toEqual([]);
});

test("a host that was not brought up is not ready", () => {
  const names = { before: "old", next: "new" };
  expect(isReady("trusting", { authorities: ["old"], issuedBy: "old" }, names)).toBe(false);
  expect(isReady("replacing", { authorities: ["old", "new"], issuedBy: "old" }, names)).toBe(false);
  expect(isReady("closing", { authorities: ["old", "new"], issuedBy: "new" }, names)).toBe(false);
  expect(phases.map(phaseAfter)).toEqual(["replacing", "closing", null]);
});

test("a step that was cut off is completed, or never begun", async () => {
  const before = await readAuthority(pki);
  // Killed before the phase was written: nothing has changed, and what lies there is removed.
  await writeFile(join(pki, "ca-next-key.pem"), "half");
  expect((await settleAuthority(pki)).trustPem).toBe(before.trustPem);
  expect(await readdir(pki)).not.toContain("ca-next-key.pem");
  // Killed after it, and before clients' file.
  const trusting = await advance();
  await writeFile(join(pki, "ca-cert.pem"), before.trustPem);
  await settleAuthority(pki);
  expect(await readFile(join(pki, "ca-cert.pem"), "utf8")).toBe(trusting.trustPem);
  // Killed in the last step between the new key and its certificate: the phase's file still says which count.
  await advance();
  const closing = await advance();
  await writeFile(join(pki, "ca-key.pem"), closing.signing.keyPem);
  expect((await readAuthority(pki)).signing).toEqual(closing.signing);
  expect((await advance()).signing).toEqual(closing.signing);
  expect((await readAuthority(pki)).signing).toEqual(closing.signing);
});

async function issued(authority: { certificatePem: string; keyPem: string }): Promise<string> {
  const { requestPem } = await createKeyAndRequest("host-a");
  return await issueCertificate({ authority, requestPem, unit: "host", commonName: "host-a", validDays: 1 });
}
