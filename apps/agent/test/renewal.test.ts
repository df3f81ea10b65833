/** A host's certificate renews by itself, with a new key; one that has ended is refused with both times. */
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { Client } from "@godwit/client";
import { serverOperations } from "@godwit/contract";
import { HttpServer, mount, type Handlers } from "@godwit/http";
import { createAuthority, createKeyAndRequest, issueCertificate, lifeOf, type Unit } from "@godwit/pki";
import { ensureUser } from "@godwit/system";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { agentConfigSchema } from "../src/index.ts";
import { readIdentity, writeIdentity, writeServerName, type CurrentIdentity } from "../src/identity.ts";
import { CertificateRenewal, dueInMs } from "../src/renewal.ts";

const log = pino({ level: "silent" });
const port = 18_483;
const memberId = "7".repeat(64);
const second = 1 / 86_400;
let folder: string;
let authority: Awaited<ReturnType<typeof createAuthority>>;
let server: HttpServer;
let served = 0;
/** Numbers of certificates that hosts said to use. */
const used: number[] = [];

const issue = (
  name: string,
  requestPem: string,
  unit: Unit,
  seconds: number,
  id: string | undefined = memberId,
  number = 1,
) =>
  issueCertificate({
    ...{ authority, requestPem, unit, commonName: name, validDays: seconds * second },
    ...(unit === "server" || id === "" ? {} : { member: { id, number } }),
  });

beforeAll(async () => {
  await ensureUser("godwit-qemu");
  folder = await mkdtemp(join(tmpdir(), "renewal-"));
  authority = await createAuthority("test");
  const { requestPem, keyPem } = await createKeyAndRequest("godwit-server");
  const certificatePem = await issue("godwit-server", requestPem, "server", 3600);
  server = new HttpServer({ tls: { caPem: authority.certificatePem, certificatePem, keyPem }, log });
  const handlers: Partial<Handlers<typeof serverOperations>> = {
    hostCertificateUse: ({ actor }) => {
      used.push(actor.kind === "host" ? actor.certificate.number : 0);
      return undefined;
    },
    hostCertificateRenew: async ({ body, actor }) => {
      if (actor.kind !== "host") throw new Error("no host");
      served++;
      return {
        caCertificate: authority.certificatePem,
        certificate: await issue(actor.name, body.certificateRequest, "host", 3600, memberId, 2),
        migrationCertificate: await issue(actor.name, body.migrationCertificateRequest, "migration", 3600),
      };
    },
  };
  mount(server, serverOperations, handlers as Handlers<typeof serverOperations>, {
    adminToken: null,
    mayConnect: (name, { id }) => name === "a" && id === memberId,
  });
  await server.listen([{ host: "127.0.0.1", port }]);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

/** A host that has joined, with a certificate for so many seconds. */
async function host(name: string, seconds: number, id?: string) {
  const config = agentConfigSchema.parse({
    ...{ name, listen: { address: "127.0.0.1" }, server: { url: `https://127.0.0.1:${String(port)}` } },
    stateFolder: join(folder, `${name}-${String(seconds)}-${String(id)}`),
  });
  const [own, migration] = [await createKeyAndRequest(name), await createKeyAndRequest(name)];
  await writeIdentity(config, {
    caCertificate: authority.certificatePem,
    certificate: await issue(name, own.requestPem, "host", seconds, id),
    migrationCertificate: await issue(name, migration.requestPem, "migration", seconds, id),
    ...{ hostKey: own.keyPem, migrationKey: migration.keyPem },
  });
  await writeServerName(config, "godwit-server");
  const identity: CurrentIdentity = { current: await readIdentity(config) };
  const { caPem, certificatePem, keyPem } = identity.current;
  const client = new Client(serverOperations, {
    baseUrl: config.server.url,
    tls: { ca: caPem, cert: certificatePem, key: keyPem, servername: "godwit-server", unit: "server" },
  });
  return { config, identity, client };
}

test("two thirds of its life are the time to renew; a certificate without a member's id is due at once", async () => {
  const { identity } = await host("a", 90);
  const now = Date.now();
  const { from, renewAt, until } = lifeOf(identity.current.certificatePem);
  expect(until.getTime() - from.getTime()).toBeGreaterThan(88_000);
  expect(renewAt.getTime() - from.getTime()).toBeCloseTo(((until.getTime() - from.getTime()) * 2) / 3, -1);
  expect(dueInMs(identity.current.certificatePem, now)).toBeGreaterThan(50_000);
  const earlier = await host("a", 86_400 * 3650, "");
  expect(dueInMs(earlier.identity.current.certificatePem, now)).toBe(0);
});

test("it is renewed by itself with a new key, is shown from then on, and is what the next start reads", async () => {
  const { config, identity, client } = await host("a", 12);
  const before = identity.current;
  const { caPem, certificatePem, keyPem } = before;
  await using stack = new AsyncDisposableStack();
  const agent = new HttpServer({ tls: { caPem, certificatePem, keyPem }, log });
  stack.defer(() => agent.close());
  stack.defer(() => client.close());
  await agent.listen([{ host: "127.0.0.1", port: port + 1 }]);
  const shown = async (): Promise<string> => {
    const socket: TLSSocket = connect({ host: "127.0.0.1", port: port + 1, servername: "a", ca: caPem });
    await once(socket, "secureConnect");
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const fingerprint = (pem: string) => new X509Certificate(pem).fingerprint256;
  expect(await shown()).toBe(fingerprint(before.certificatePem));
  const renewal = new CertificateRenewal(
    config,
    identity,
    client,
    (renewed) => {
      client.renew({
        ...{ ca: renewed.caPem, cert: renewed.certificatePem, key: renewed.keyPem },
        ...{ servername: "godwit-server", unit: "server" },
      });
      agent.renew(renewed);
    },
    log,
  );
  renewal.start();
  stack.defer(() => {
    renewal.stop();
  });
  await expect.poll(() => served).toBe(1);
  await expect.poll(() => identity.current.certificatePem).not.toBe(certificatePem);
  expect(identity.current.keyPem).not.toBe(keyPem);
  expect(await shown()).toBe(fingerprint(identity.current.certificatePem));
  expect(await readIdentity(config)).toEqual(identity.current);
  expect(new X509Certificate(identity.current.certificatePem).subjectAltName).toContain(memberId);
  // Its present one at first, and the new one once the next start would read it.
  await expect.poll(() => [...new Set(used)]).toEqual([1, 2]);
  // The client shows it too: the one before has ended when this is called.
  await expect.poll(() => Date.now() > lifeOf(certificatePem).until.getTime()).toBe(true);
  const [own, migration] = [await createKeyAndRequest("a"), await createKeyAndRequest("a")];
  const body = { certificateRequest: own.requestPem, migrationCertificateRequest: migration.requestPem };
  await expect(client.call("hostCertificateRenew", { body })).resolves.toMatchObject({});
});

test("a renewal that was cut off between two files is completed by the next start", async () => {
  const { config, identity } = await host("a", 60);
  const other = await host("a", 61);
  const files = join(config.stateFolder, "pki");
  await writeFile(
    join(files, "issued.json"),
    JSON.stringify({
      ...{ caCertificate: authority.certificatePem, certificate: other.identity.current.certificatePem },
      ...{ migrationCertificate: "m", hostKey: other.identity.current.keyPem, migrationKey: "k" },
    }),
  );
  await writeFile(join(files, "host-key.pem"), other.identity.current.keyPem); // the certificate is still the old one
  const read = await readIdentity(config);
  expect(read.certificatePem).toBe(other.identity.current.certificatePem);
  expect(read.certificatePem).not.toBe(identity.current.certificatePem);
  expect(await readFile(join(files, "migration/client-key.pem"), "utf8")).toBe("k");
  await expect(readFile(join(files, "issued.json"))).rejects.toThrow();
});

test("a host that was away until its certificate ended is told both times and the remedy", async () => {
  const { identity, client } = await host("a", 2);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => client.close());
  const { until } = lifeOf(identity.current.certificatePem);
  await expect.poll(() => Date.now() > until.getTime() + 100).toBe(true);
  const [own, migration] = [await createKeyAndRequest("a"), await createKeyAndRequest("a")];
  const body = { certificateRequest: own.requestPem, migrationCertificateRequest: migration.requestPem };
  const error = await client.call("hostCertificateRenew", { body }).then(
    () => null,
    (reason: unknown) => reason as { code: string; message: string; remedy: string },
  );
  expect(error).toMatchObject({ code: "CERTIFICATE_EXPIRED" });
  expect(error?.message).toContain(`ended at ${until.toISOString()}, and it is 20`);
  expect(error?.remedy).toContain("godwit host token --rejoin a");
});

test("a host that was removed, or has joined again since, is refused", async () => {
  for (const { name, id } of [
    { name: "a", id: "8".repeat(64) },
    { name: "c", id: memberId },
  ]) {
    const { client } = await host(name, 60, id);
    const [own, migration] = [await createKeyAndRequest(name), await createKeyAndRequest(name)];
    const body = { certificateRequest: own.requestPem, migrationCertificateRequest: migration.requestPem };
    await expect(client.call("hostCertificateRenew", { body })).rejects.toMatchObject({
      code: "CERTIFICATE_INVALID",
    });
    await client.close();
  }
});
