/**
 * Two servers on one database, and an agent: once the second has taken over, the agent refuses the orders of the first,
 * which does not know it yet; and a server on a restored backup is obeyed again.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentOperations } from "@godwit/contract";
import { HttpServer, mount, type Handlers } from "@godwit/http";
import { createAuthority, createKeyAndRequest, issueCertificate } from "@godwit/pki";
import { ServerLock, Store } from "@godwit/store";
import { pino } from "pino";
import { expect, test } from "vitest";
import { NewestServer } from "../../agent/src/newest-server.ts";
import { OwnPostgres } from "../../../packages/store/test/own-postgres.ts";
import { HostLinks } from "../src/hosts/host-links.ts";

const log = pino({ level: "silent" });
const port = 18_476;
const vmId = "11111111-1111-4111-8111-111111111111" as never;

test("an agent refuses the orders of a server that another one has taken over from", async () => {
  await using stack = new AsyncDisposableStack();
  const authority = await createAuthority("test");
  const signed = async (name: string, unit: "host" | "server") => {
    const { requestPem, keyPem } = await createKeyAndRequest(name);
    const member = { id: "0".repeat(64), number: 1 };
    const issue = { authority, requestPem, commonName: name, unit, validDays: 1, member };
    return { caPem: authority.certificatePem, certificatePem: await issueCertificate(issue), keyPem };
  };
  const own = stack.use(await OwnPostgres.start());
  const stateFolder = await mkdtemp(join(tmpdir(), "superseded-"));
  stack.defer(() => rm(stateFolder, { recursive: true }));

  const stopped: string[] = [];
  const startAgent = async () => {
    const agent = new HttpServer({ tls: await signed("a", "host"), log });
    const newest = await NewestServer.read({ name: "a", stateFolder }, log);
    const { vmStop, membersPut } = agentOperations;
    const handlers = {
      vmStop: ({ params }: { params: { vmId: string } }) => {
        stopped.push(params.vmId);
        return { stopped: true };
      },
      membersPut: () => ({ generation: 0 }),
    };
    const operations = { vmStop, membersPut };
    mount(agent, operations, handlers as unknown as Handlers<typeof operations>, {
      ...{ adminToken: null, mayConnect: () => false },
      hearServer: (generation, isOrder) => newest.hear(generation, isOrder),
    });
    await agent.listen([{ host: "127.0.0.1", port }]);
    return agent;
  };
  let agent = await startAgent();
  stack.defer(() => agent.close());
  const unexpected = (error: unknown) => {
    throw error;
  };
  const start = async (writer: Parameters<typeof Store.open>[1]) => {
    const store = await Store.open(own.connection, writer);
    const links = new HostLinks(await signed("godwit-server", "server"), store, log, 30);
    await links.start();
    stack.defer(async () => {
      await links.stop();
      await store.close();
    });
    return {
      store,
      links,
      stop: async () =>
        await links.of("a").agent.call("vmStop", { params: { vmId }, body: { graceSeconds: 0 } }),
    };
  };

  const lock = await ServerLock.take(own.connection, unexpected);
  // As while it has not noticed the loss of its lock.
  const frozen = { isHeld: true, generation: lock.generation, database: lock.database };
  const first = await start(frozen);
  const host = {
    ...{ name: "a", agentUrl: `https://127.0.0.1:${String(port)}`, memberId: "0".repeat(64) },
    certificateEndsAt: null,
  };
  await first.store.hosts.join(await first.store.hosts.createToken(new Date(Date.now() + 60_000)), host);
  await first.links.add({ ...host, certificateInUse: 1 });
  await first.stop();
  await lock.release();

  const secondLock = await ServerLock.take(own.connection, unexpected);
  const second = await start(secondLock);
  await second.stop();
  expect(stopped).toHaveLength(2);
  await expect(first.stop()).rejects.toMatchObject({ code: "SERVER_SUPERSEDED" });
  await agent.close();
  agent = await startAgent(); // the earlier server is the first that calls
  await expect(first.stop()).rejects.toMatchObject({ code: "SERVER_SUPERSEDED" });
  // It cannot make itself the newer one.
  await expect(first.store.generation.overtake(second.store.generation.current)).rejects.toMatchObject({
    code: "DATABASE_IN_USE",
  });
  await expect(first.stop()).rejects.toMatchObject({ code: "SERVER_SUPERSEDED" });
  expect(stopped).toHaveLength(2);
  await second.stop();

  // The database is restored from a backup of before: its numbers were used already.
  await secondLock.release();
  await own.ask("update writer_generation set generation = 0, lead = 0");
  const restoredLock = await ServerLock.take(own.connection, unexpected);
  stack.defer(() => restoredLock.release());
  const restored = await start(restoredLock);
  const push = async () =>
    await restored.links.of("a").agent.call("membersPut", { body: { generation: 1, hosts: [] } });
  await expect(push()).rejects.toMatchObject({ code: "SERVER_SUPERSEDED" });
  expect(await restored.store.generation.overtake(second.store.generation.current)).toBe(true);
  await restored.stop();
  expect(stopped).toHaveLength(4);
  // And so is the next one.
  expect(await restored.store.generation.overtake(10 ** 12)).toBe(false);
  await restoredLock.release();
  const nextLock = await ServerLock.take(own.connection, unexpected);
  stack.defer(() => nextLock.release());
  const next = await start(nextLock);
  expect(next.store.generation.current).toBeGreaterThan(restored.store.generation.current);
});
