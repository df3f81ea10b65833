/** Certificates of the peer's hosts, of the same kind as Godwit's own: ECDSA P-256, one authority for the lab. */
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import type { UserIds } from "@godwit/system";

export interface CertificateHolder {
  name: string;
  ipAddresses: string[];
  /** QEMU's user: it reads the keys of the migration stream. */
  reader: UserIds;
}

/** One certificate under all the names that libvirt, virsh and QEMU look for in one folder. */
export async function writeCertificates(
  folder: string,
  authority: KeyAndCertificate,
  { name, ipAddresses, reader }: CertificateHolder,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const { keyPem, requestPem } = await createKeyAndRequest(name);
  const certificate = await issueCertificate({
    authority,
    requestPem,
    unit: "migration",
    commonName: name,
    ipAddresses,
    validDays: 30,
  });
  for (const file of ["cacert.pem", "ca-cert.pem"])
    await writeFile(join(folder, file), authority.certificatePem);
  for (const side of ["server", "client"]) {
    for (const dash of ["", "-"]) {
      await writeFile(join(folder, `${side}${dash}cert.pem`), certificate);
      const key = join(folder, `${side}${dash}key.pem`);
      await writeFile(key, keyPem, { mode: 0o600 });
      if (dash !== "") await chown(key, reader.uid, reader.gid);
    }
  }
}
