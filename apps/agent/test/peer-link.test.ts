/** The line between two agents: the version that both speak, and what becomes of what one of them does not know. */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { helloHeaders, silentHello, type Hello, type MoveOrder, type Problem } from "@godwit/contract";
import { toDestinationWire, toSourceWire, type ToDestination, type ToSource } from "@godwit/migration";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { PeerLine } from "../src/moves/peer-line.ts";
import { PeerLink } from "../src/moves/peer-link.ts";

const log = pino({ level: "silent" });
const hello: Hello = { software: "0.2.0", protocol: { oldest: 1, newest: 2 } };
let authority: KeyAndCertificate;
let server: Server;
const sockets = new WebSocketServer({ noServer: true });
/** What the destination answers of its version. */
let answered: Hello = hello;

async function signed(name: string): Promise<{ cert: string; key: string }> {
  const { requestPem, keyPem } = await createKeyAndRequest(name);
  const cert = await issueCertificate({
    ...{ authority, requestPem, commonName: name, unit: "host", validDays: 1 },
  });
  return { cert, key: keyPem };
}

beforeAll(async () => {
  authority = await createAuthority("test");
  server = createServer(await signed("b"));
  sockets.on("headers", (lines) => {
    for (const [name, value] of Object.entries(helloHeaders(answered))) lines.push(`${name}: ${value}`);
  });
  server.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (accepted) => {
      sockets.emit("connection", accepted, request);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

interface Scene extends AsyncDisposable {
  link: PeerLink;
  /** What the source heard, and that it was refused. */
  heard: (ToSource | Problem)[];
  destination: PeerLine<ToDestination, ToSource>;
  /** As they came, and what the destination understood. */
  raw: unknown[];
  understood: ToDestination[];
}

/** @param said what the destination tells of its version */
async function connect(said: Hello): Promise<Scene> {
  answered = said;
  const heard: Scene["heard"] = [];
  const up = Promise.withResolvers<undefined>();
  const order = {
    ...{ id: "11111111-1111-4111-8111-111111111111", from: "a" },
    to: { host: "b", agentUrl: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}` },
  } as MoveOrder;
  const { cert: certificatePem, key: keyPem } = await signed("a");
  const migration = { certificatePem, keyPem };
  const current = { caPem: authority.certificatePem, certificatePem, keyPem, migration, serverName: "" };
  const accepted = once(sockets, "connection") as Promise<[WebSocket]>;
  const link = new PeerLink(
    order,
    { identity: { current }, members: { has: () => true }, hello },
    {
      onMessage: (message) => heard.push(message),
      onUp: () => {
        up.resolve(undefined);
      },
      onDown: () => undefined,
      onUnsupported: (refusal) => {
        heard.push(refusal);
        up.resolve(undefined);
      },
    },
    log,
  );
  const [socket] = await accepted;
  const version = Math.min(said.protocol.newest, hello.protocol.newest);
  const destination = new PeerLine<ToDestination, ToSource>(socket, {
    ...{ version, heard: toDestinationWire, said: toSourceWire, host: "b", hello: said, log },
  });
  const raw: unknown[] = [];
  const understood: ToDestination[] = [];
  socket.on("message", (data: Buffer) => raw.push(JSON.parse(data.toString("utf8"))));
  destination.onMessage((message) => understood.push(message));
  await up.promise;
  return {
    ...{ link, heard, destination, raw, understood },
    [Symbol.asyncDispose]: async () => {
      link.close();
      socket.terminate();
      await Promise.resolve();
    },
  };
}

test("two of this version speak it, and what the other does not know is answered", async () => {
  await using scene = await connect(hello);
  scene.link.send({ type: "sourceQemuLost" });
  await expect.poll(() => scene.raw).toEqual([{ type: "sourceQemuLost" }]);
  scene.link.send({ type: "teleport" } as unknown as ToDestination);
  await expect
    .poll(() => scene.heard)
    .toMatchObject([
      { type: "notUnderstood", message: "teleport", problem: { code: "MESSAGE_NOT_UNDERSTOOD" } },
    ]);
  scene.link.send({ type: "prepare" } as unknown as ToDestination); // known, without its order
  await expect.poll(() => scene.heard[1]).toMatchObject({ type: "notUnderstood", message: "prepare" });
  scene.destination.send({ type: "levitate" } as unknown as ToSource);
  await expect.poll(() => scene.understood.at(-1)).toMatchObject({ message: "levitate" });
  scene.destination.send({ type: "notUnderstood" } as unknown as ToSource); // not answered: they would never end
  scene.destination.send({ type: "announced", announceMs: 1 });
  await expect.poll(() => scene.heard.at(-1)).toEqual({ type: "announced", announceMs: 1 });
  expect(scene.raw).toHaveLength(4);
});

test("version 1, which says nothing of itself, is spoken to in its own words", async () => {
  await using scene = await connect(silentHello);
  scene.link.send({ type: "sourceCleanedUp" });
  await expect.poll(() => scene.raw).toEqual([{ type: "left" }]);
  expect(scene.understood).toEqual([{ type: "sourceCleanedUp" }]);
  const sent = scene.destination.socket;
  sent.send(JSON.stringify({ type: "teleport" })); // it does not know `notUnderstood`: no answer
  scene.destination.send({ type: "announced", announceMs: 1 }); // it has no such message: not sent
  sent.send(JSON.stringify({ type: "pulling", commitToResumeMs: 3 }));
  await expect.poll(() => scene.heard).toEqual([{ type: "postcopyReceiving", commitToResumeMs: 3 }]);
  expect(scene.raw).toHaveLength(1);
});

test("with no version in common the move is refused at once, and says what is to be upgraded", async () => {
  await using scene = await connect({ software: "0.4.0", protocol: { oldest: 3, newest: 4 } });
  expect(scene.heard).toMatchObject([{ code: "VERSION_UNSUPPORTED" }]);
  const { detail, remedy } = scene.heard[0] as Problem;
  expect(detail).toBe(
    "Host b runs Godwit 0.4.0 (protocol 3 to 4) and host a runs Godwit 0.2.0 (protocol 1 to 2): they have no version of the protocol in common.",
  );
  expect(remedy).toMatch(/^Upgrade host a first/);
  scene.link.send({ type: "commit" });
  await expect.poll(() => scene.destination.socket.readyState).toBe(3);
  expect(scene.raw).toEqual([]);
});
