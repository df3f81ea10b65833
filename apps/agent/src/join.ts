/**
 * A host joins: it makes its keys, shows its token to the server that the token's fingerprint names, and
 * keeps the certificates that it gets. Keys never leave the host.
 */
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect } from "node:tls";
import { Client } from "@godwit/client";
import { GodwitError, hostAndPort, serverOperations } from "@godwit/contract";
import { certificatesIn, createKeyAndRequest, fingerprintOf } from "@godwit/pki";
import { checkServerClock } from "./server-clock.ts";
import { ensureUser, ownHello } from "@godwit/system";
import { membersFile, serverGenerationFile, type AgentConfig } from "./config.ts";
import { readAuthority, writeIdentity, writeServerName } from "./identity.ts";
import { writeMembers } from "./members.ts";

const connectLimitMs = 8000;

/**
 * @param adopt whether a host that belongs to another cluster may join this one: what it heard from that one's servers
 *   counts no more, and its VMs run on
 * @throws HOST_OF_ANOTHER_CLUSTER, TOKEN_INVALID, HOST_EXISTS, CERTIFICATE_INVALID when another server answers,
 *   JOIN_CLOCKS_APART, CONNECTION_FAILED
 */
export async function joinHost(config: AgentConfig, token: string, adopt = false): Promise<void> {
  const fingerprint = /^gwt1\.[A-Za-z0-9_-]+\.([0-9a-f]{64})$/.exec(token)?.[1];
  if (fingerprint === undefined) throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
  const trusted = await trustedBefore(config);
  const [before] = trusted;
  const changes = before !== undefined && !trusted.includes(fingerprint);
  if (changes && !adopt)
    throw GodwitError.of("HOST_OF_ANOTHER_CLUSTER", {
      host: config.name,
      authority: before,
      given: fingerprint,
    });
  await ensureUser(config.qemu.user);
  const { caPem, serverName } = await meetServer(config, fingerprint);
  const host = await createKeyAndRequest(config.name);
  const migration = await createKeyAndRequest(config.name);
  const client = new Client(serverOperations, {
    baseUrl: config.server.url,
    tls: { ca: caPem, servername: serverName, unit: "server" },
    hello: ownHello,
  });
  try {
    const { address, port } = config.listen;
    const answer = await client.call("hostJoin", {
      body: {
        token,
        name: config.name,
        agentUrl: `https://${hostAndPort(address, port)}`,
        certificateRequest: host.requestPem,
        migrationCertificateRequest: migration.requestPem,
      },
    });
    await writeIdentity(config, { ...answer, hostKey: host.keyPem, migrationKey: migration.keyPem });
    // Servers of another cluster count from one again; until this is done, the new server goes above what was heard.
    if (changes) await rm(serverGenerationFile(config), { force: true });
    // A list of a cluster that the host was in before counts no more.
    if (answer.members === undefined) await rm(membersFile(config), { force: true });
    else await writeMembers(config, answer.members);
    // Written last: a host with this file has joined.
    await writeServerName(config, answer.serverName);
  } finally {
    await client.close();
  }
}

/** Fingerprints of the authorities of the cluster that the host belongs to; none: it has not joined one. */
async function trustedBefore(config: AgentConfig): Promise<string[]> {
  const pem = await readAuthority(config);
  return await Promise.all(certificatesIn(pem ?? "").map((one) => fingerprintOf(one)));
}

/**
 * Looks at who answers, before anything is told: its authority must be the one that the token names, and its clock must not be
 * apart from this host's.
 */
async function meetServer(
  { name, server: { url } }: AgentConfig,
  fingerprint: string,
): Promise<{ caPem: string; serverName: string }> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = connect({
    host,
    port: Number(port || 443),
    rejectUnauthorized: false,
    minVersion: "TLSv1.3",
  });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(connectLimitMs) });
    const own = socket.getPeerCertificate(true);
    const ca = new X509Certificate(own.issuerCertificate.raw);
    const found = ca.fingerprint256.replaceAll(":", "").toLowerCase();
    if (found !== fingerprint || !new X509Certificate(own.raw).verify(ca.publicKey)) {
      throw GodwitError.of("CERTIFICATE_INVALID", {
        subject: `the server at ${url}`,
        reason: "it is not the server that made the token",
      });
    }
    await checkServerClock(socket, { host: name, url, limitMs: connectLimitMs });
    return { caPem: ca.toString(), serverName: String(own.subject.CN) };
  } catch (error) {
    if (GodwitError.is(error)) throw error;
    const { code, message } = error as { code?: string; message: string };
    const reason = code === "ECONNREFUSED" ? "nothing listens there" : message;
    throw GodwitError.of("CONNECTION_FAILED", { url, reason }, { cause: error });
  } finally {
    socket.destroy();
  }
}
