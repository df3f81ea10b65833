/** Credentials of the bare driver's encrypted streams, of an authority of their own. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";

const name = "bare-stream";

/** Both ends of a stream, on the command line of each QEMU, since one that arrives leaves later. @param folder is made */
export async function credentialWords(folder: string): Promise<string[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = await createAuthority("bare driver");
  const { keyPem, requestPem } = await createKeyAndRequest(name);
  const certificate = await issueCertificate({
    ...{ authority, requestPem, unit: "migration", commonName: name, dnsNames: [name], validDays: 1 },
  });
  await writeFile(join(folder, "ca-cert.pem"), authority.certificatePem);
  for (const end of ends) {
    await writeFile(join(folder, `${end}-cert.pem`), certificate);
    await writeFile(join(folder, `${end}-key.pem`), keyPem, { mode: 0o600 });
  }
  return ends.flatMap((end) => [
    ...["-object", `tls-creds-x509,id=${end},dir=${folder},endpoint=${end},verify-peer=on`],
  ]);
}

const ends = ["client", "server"] as const;

/** What a stream's end is set to: encrypted, or as QEMU has it by itself. */
export const streamParameters = (end: (typeof ends)[number], isEncrypted: boolean) =>
  isEncrypted
    ? { "tls-creds": end, "tls-hostname": end === "client" ? name : "" }
    : { "tls-creds": "", "tls-hostname": "" };
