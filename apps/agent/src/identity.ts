/**
 * The agent's certificates and keys, as `host join` wrote them and as they were renewed since. New ones are written to
 * one file first: keys and certificates that do not belong together are never left behind.
 */
import { X509Certificate } from "node:crypto";
import { chmod, lchown, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { certificateOf, GodwitError } from "@godwit/contract";
import type { MigrationCredentials } from "@godwit/hypervisor";
import { readFileOrNull, writeFileAtomic } from "@godwit/system";
import { z } from "zod";
import { migrationCredentialsFolder, pkiFolder, type AgentConfig } from "./config.ts";

export interface AgentIdentity {
  caPem: string;
  certificatePem: string;
  keyPem: string;
  /** What its QEMU shows in migration streams; issued with the certificate above, of the same number. */
  migration: { certificatePem: string; keyPem: string };
  /** The name in the server's certificate. */
  serverName: string;
}

/** The identity that counts now: it is renewed while the agent runs. */
export interface CurrentIdentity {
  current: AgentIdentity;
}

/** As a migration stream needs them. */
export const migrationCredentials = ({ caPem, migration }: AgentIdentity): MigrationCredentials => ({
  caPem,
  ...migration,
});

/** The same of both of its certificates. */
export function certificateNumber({ certificatePem }: AgentIdentity): number {
  const { subjectAltName, fingerprint256 } = new X509Certificate(certificatePem);
  return certificateOf(subjectAltName, fingerprint256).number;
}

type IdentityFolders = Pick<AgentConfig, "stateFolder">;

const issuedSchema = z.object({
  caCertificate: z.string(),
  certificate: z.string(),
  migrationCertificate: z.string(),
  hostKey: z.string(),
  migrationKey: z.string(),
});
/** What the server has issued, with the keys that it was issued for. */
export type IssuedIdentity = z.infer<typeof issuedSchema>;

const identityFiles = {
  ca: "ca-cert.pem",
  certificate: "host-cert.pem",
  key: "host-key.pem",
  server: "server.json",
  /** New ones that are about to take the place of those in use. */
  issued: "issued.json",
} as const;

const serverFileSchema = z.object({ serverName: z.string() });

/** Of a host that joins. */
export async function writeServerName(config: IdentityFolders, serverName: string): Promise<void> {
  await writeFileAtomic(join(pkiFolder(config), identityFiles.server), `${JSON.stringify({ serverName })}\n`);
}

/** The certificate of the authority that the host has joined; null: it has joined none. */
export async function readAuthority(config: IdentityFolders): Promise<string | null> {
  const folder = pkiFolder(config);
  const hasJoined = (await readFileOrNull(join(folder, identityFiles.server))) !== null;
  return hasJoined ? await readFileOrNull(join(folder, identityFiles.ca)) : null;
}

/** @throws USAGE when the host has not joined */
export async function readIdentity(config: AgentConfig): Promise<AgentIdentity> {
  const folder = pkiFolder(config);
  const server = await readFileOrNull(join(folder, identityFiles.server));
  if (server === null) {
    throw GodwitError.of("USAGE", {
      what: `Host ${config.name} has not joined a Godwit server yet.`,
      hint: "Make a token with godwit host token on the server, then: godwit host join --token TOKEN",
    });
  }
  const issued = await readFileOrNull(join(folder, identityFiles.issued));
  if (issued !== null) await install(config, issuedSchema.parse(JSON.parse(issued)));
  await closeCredentials(config);
  const read = async (...path: string[]) => await readFile(join(...path), "utf8");
  const migration = migrationCredentialsFolder(config);
  return {
    caPem: await read(folder, identityFiles.ca),
    certificatePem: await read(folder, identityFiles.certificate),
    keyPem: await read(folder, identityFiles.key),
    migration: {
      certificatePem: await read(migration, "client-cert.pem"),
      keyPem: await read(migration, "client-key.pem"),
    },
    serverName: serverFileSchema.parse(JSON.parse(server)).serverName,
  };
}

/** Puts what was issued in the place of what was there; cut off in the middle, the next start completes it. */
export async function writeIdentity(config: IdentityFolders, issued: IssuedIdentity): Promise<void> {
  const folder = pkiFolder(config);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFileAtomic(join(folder, identityFiles.issued), JSON.stringify(issued), 0o600);
  await install(config, issued);
}

async function install(config: IdentityFolders, issued: IssuedIdentity): Promise<void> {
  const folder = pkiFolder(config);
  const credentials = migrationCredentialsFolder(config);
  await mkdir(credentials, { recursive: true, mode: 0o700 });
  await closeCredentials(config);
  await writeFileAtomic(join(folder, identityFiles.key), issued.hostKey, 0o600);
  await writeFileAtomic(join(folder, identityFiles.certificate), issued.certificate);
  await writeFileAtomic(join(folder, identityFiles.ca), issued.caCertificate);
  // The names are QEMU's; it is a server for incoming streams and a client for outgoing ones.
  const files = {
    "ca-cert.pem": issued.caCertificate,
    "client-cert.pem": issued.migrationCertificate,
    "client-key.pem": issued.migrationKey,
    "server-cert.pem": issued.migrationCertificate,
    "server-key.pem": issued.migrationKey,
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFileAtomic(join(credentials, name), content, 0o600);
  }
  await rm(join(folder, identityFiles.issued), { force: true });
}

/** Earlier versions gave the credentials of migration streams to the user of all VMs. */
async function closeCredentials(config: IdentityFolders): Promise<void> {
  const folder = migrationCredentialsFolder(config);
  await lchown(folder, 0, 0);
  await chmod(folder, 0o700);
  for (const name of await readdir(folder)) await lchown(join(folder, name), 0, 0);
}
