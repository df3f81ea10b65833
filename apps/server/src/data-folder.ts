/**
 * The server's data folder: the cluster's authority, the server's own certificate, the admin token, the
 * private database. Made once by `initServer`; used by one running server at a time.
 */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { chown, mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "@godwit/contract";
import {
  createAuthority,
  createKeyAndRequest,
  issueCertificate,
  issuerOf,
  lifeOf,
  type KeyAndCertificate,
} from "@godwit/pki";
import { identifyProcess, isAlive, readFileOrNull, writeFileAtomic } from "@godwit/system";
import { readAuthority, type ClusterAuthority } from "./authority/authority-files.ts";
import { readCertificateNames, writeCertificateNames, type CertificateNames } from "./certificate-names.ts";
import { dataPaths, serverName, type DataPaths } from "./data-paths.ts";

export const authorityName = "Godwit cluster authority";
export const defaultCertificateDays = 30;
const dayMs = 86_400_000;

export interface DataFolder {
  path: string;
  /** The authority, or two of them while one takes the place of the other. */
  cluster: ClusterAuthority;
  server: KeyAndCertificate;
  adminToken: string;
}

/**
 * Makes the authority, the server's certificate and the admin token.
 * @param names by which clients call the server
 * @throws SERVER_ALREADY_INITIALISED; nothing is changed then
 */
export async function initServer(
  path: string,
  names: CertificateNames = { names: [], addresses: [] },
): Promise<DataPaths> {
  const paths = dataPaths(path);
  if ((await readFileOrNull(paths.adminToken)) !== null) {
    throw GodwitError.of("SERVER_ALREADY_INITIALISED", { path });
  }
  // The database's user must be able to pass through to its own folder.
  await mkdir(join(path, "pki"), { recursive: true, mode: 0o755 });
  const authority = await createAuthority(authorityName);
  await writeFileAtomic(join(path, "pki/ca-key.pem"), authority.keyPem, 0o600);
  await writeFileAtomic(paths.caCertificate, authority.certificatePem);
  await writeCertificateNames(path, names);
  await issueServerCertificate(path, authority, defaultCertificateDays);
  // Written last: a folder with a token is complete.
  await writeFileAtomic(paths.adminToken, `${randomBytes(32).toString("base64url")}\n`, 0o600);
  return paths;
}

async function issueServerCertificate(
  path: string,
  authority: KeyAndCertificate,
  validDays: number,
): Promise<KeyAndCertificate> {
  const { keyPem, requestPem } = await createKeyAndRequest(serverName);
  const issue = { authority, requestPem, unit: "server", commonName: serverName, validDays } as const;
  const { names, addresses } = await readCertificateNames(path);
  const certificatePem = await issueCertificate({ ...issue, dnsNames: names, ipAddresses: addresses });
  await writeFileAtomic(join(path, "pki/server-key.pem"), keyPem, 0o600);
  await writeFileAtomic(join(path, "pki/server-cert.pem"), certificatePem);
  return { keyPem, certificatePem };
}

/**
 * A new certificate of the server, with other names if they are given; a server that runs takes it at its next start.
 * @throws SERVER_NOT_INITIALISED
 */
export async function renewServerCertificate(path: string, names: CertificateNames | null): Promise<void> {
  const { cluster } = await openDataFolder(path);
  if (names !== null) await writeCertificateNames(path, names);
  await issueServerCertificate(path, cluster.signing, defaultCertificateDays);
  // Root renews it for the service's user.
  const { uid, gid } = await stat(path);
  for (const name of ["names.json", "server-key.pem", "server-cert.pem"]) {
    await chown(join(path, "pki", name), uid, gid).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    });
  }
}

/**
 * The server's certificate, renewed with a new key if two thirds of its life are over, if it was issued for longer than
 * certificates count now, or if a renewal was cut off between the two files.
 */
export async function currentServerCertificate(
  { path, cluster, server }: DataFolder,
  validDays: number,
): Promise<KeyAndCertificate> {
  const certificate = new X509Certificate(server.certificatePem);
  const { renewAt, until } = lifeOf(server.certificatePem);
  const now = Date.now();
  const counts =
    (await issuerOf(server.certificatePem, cluster.signing.certificatePem)) !== null &&
    certificate.checkPrivateKey(createPrivateKey(server.keyPem)) &&
    now < renewAt.getTime() &&
    until.getTime() - now <= validDays * dayMs;
  return counts ? server : await issueServerCertificate(path, cluster.signing, validDays);
}

/** @throws SERVER_NOT_INITIALISED */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const token = await readFileOrNull(dataPaths(path).adminToken);
  if (token === null) throw GodwitError.of("SERVER_NOT_INITIALISED", { path });
  const read = async (name: string) => await readFile(join(path, "pki", name), "utf8");
  return {
    path,
    cluster: await readAuthority(join(path, "pki")),
    server: { certificatePem: await read("server-cert.pem"), keyPem: await read("server-key.pem") },
    adminToken: token.trim(),
  };
}

/** @throws SERVER_ALREADY_RUNNING */
export async function lockDataFolder(path: string): Promise<AsyncDisposable> {
  const file = join(path, "server.pid");
  const text = await readFileOrNull(file);
  if (text !== null) {
    const [pid = 0, startTicks = 0] = text.trim().split(" ").map(Number);
    if (pid !== process.pid && (await isAlive({ pid, startTicks }))) {
      throw GodwitError.of("SERVER_ALREADY_RUNNING", { path, pid });
    }
  }
  const own = await identifyProcess(process.pid);
  await writeFileAtomic(file, `${String(process.pid)} ${String(own?.startTicks)}\n`);
  return {
    [Symbol.asyncDispose]: async () => {
      await rm(file, { force: true });
    },
  };
}
