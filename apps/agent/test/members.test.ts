/** The list of members on an agent: only newer ones count, it outlives the agent, and connections follow it. */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainHello, type MemberList, type MoveOrder } from "@godwit/contract";
import { createAuthority, createKeyAndRequest, fingerprintOf, issueCertificate } from "@godwit/pki";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { Members, writeMembers } from "../src/members.ts";
import { PeerLink } from "../src/moves/peer-link.ts";

const log = pino({ level: "silent" });
const id = (digit: string) => digit.repeat(64);
const own = (digit: string, number = 1) => ({ id: id(digit), number });
const list = (generation: number, ...hosts: [string, string][]): MemberList => ({
  generation,
  hosts: hosts.map(([name, digit]) => ({ name, id: id(digit) })),
});
let stateFolder: string;
beforeAll(async () => {
  stateFolder = await mkdtemp(join(tmpdir(), "members-"));
});
afterAll(async () => {
  await rm(stateFolder, { recursive: true });
});

test("a host is a member by its id, a removed one is told, and no earlier list brings it back", async () => {
  const members = await Members.read({ stateFolder }, log);
  expect(members.has("a", own("1"))).toBe(true); // the server of an earlier version sends no list
  const removed: string[] = [];
  members.onRemoved((host) => removed.push(host));
  expect(await members.take(list(5, ["a", "1"], ["c", "3"]))).toBe(5);
  expect([members.has("a", own("1")), members.has("a", own("2")), members.has("b", own("1"))]).toEqual([
    ...[true, false, false],
  ]);
  expect(await members.take(list(6, ["a", "1"]))).toBe(6);
  expect(removed).toEqual(["c"]);
  expect(await members.take(list(5, ["a", "1"], ["c", "3"]))).toBe(6);
  expect(members.has("c", own("3"))).toBe(false);
  await members.take(list(7, ["a", "2"])); // a has joined again
  expect(removed).toEqual(["c", "a"]);
  expect(members.has("a", own("1"))).toBe(false);

  const restarted = await Members.read({ stateFolder }, log);
  expect([restarted.has("a", own("2")), restarted.has("c", own("3"))]).toEqual([true, false]);
  await writeFile(join(stateFolder, "members.json"), "{");
  expect((await Members.read({ stateFolder }, log)).has("a", own("2"))).toBe(false);
});

test("a list that cannot be written counts all the same, and is asked for again", async () => {
  const members = await Members.read({ stateFolder: join(stateFolder, "nowhere") }, log);
  await expect(members.take(list(3, ["a", "1"]))).rejects.toThrow();
  expect(members.has("c", own("3"))).toBe(false);
  await expect(members.take(list(3, ["a", "1"]))).rejects.toThrow();
});

test("a source connects to a member only: by its certificate's id, or the fingerprint of an earlier version's", async () => {
  const authority = await createAuthority("test");
  const signed = async (name: string, memberId?: string) => {
    const { requestPem, keyPem } = await createKeyAndRequest(name);
    const issue = { authority, requestPem, commonName: name, unit: "host" as const, validDays: 1 };
    return {
      cert: await issueCertificate({
        ...issue,
        ...(memberId === undefined ? {} : { member: { id: memberId, number: 1 } }),
      }),
      key: keyPem,
    };
  };
  const self = await signed("a", id("1"));
  const reaches = async (tls: { cert: string; key: string }, members: Members): Promise<boolean> => {
    const server: Server = createServer(tls);
    const sockets = new WebSocketServer({ server });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const order = { id: "11111111-1111-4111-8111-111111111111", from: "a" } as MoveOrder;
    const refused = once(server, "tlsClientError").then(() => false);
    const current = {
      ...{ caPem: authority.certificatePem, certificatePem: self.cert, keyPem: self.key, serverName: "" },
      migration: { certificatePem: "", keyPem: "" },
    };
    const link = new PeerLink(
      { ...order, to: { host: "b", agentUrl: url } },
      { identity: { current }, members, hello: plainHello },
      {
        ...{ onMessage: () => undefined, onUp: () => undefined, onDown: () => undefined },
        onUnsupported: () => undefined,
      },
      log,
    );
    const closed = once(server, "secureConnection").then(async ([socket]: { on: never }[]) => {
      // Reset or closed: it is the same end.
      await once(socket as never, "close").catch(() => undefined);
      return false;
    });
    const connected = await Promise.race([once(sockets, "connection").then(() => true), refused, closed]);
    link.close();
    server.closeAllConnections();
    server.close();
    return connected;
  };
  const members = async (...hosts: [string, string][]) => {
    await writeMembers(
      { stateFolder },
      { generation: 1, hosts: hosts.map(([name, of]) => ({ name, id: of })) },
    );
    return await Members.read({ stateFolder }, log);
  };
  const renewed = await signed("b", id("2"));
  expect(await reaches(renewed, await members(["b", id("2")]))).toBe(true);
  expect(await reaches(renewed, await members(["b", id("9")]))).toBe(false);
  expect(await reaches(renewed, await members(["a", id("2")]))).toBe(false);
  const earlier = await signed("b");
  expect(await reaches(earlier, await members(["b", await fingerprintOf(earlier.cert)]))).toBe(true);
  expect(await reaches(earlier, await members(["b", id("2")]))).toBe(false);
});
