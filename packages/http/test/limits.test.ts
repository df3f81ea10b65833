/** Callers that nobody knows, over real sockets: what they hold, how long, and that those who are known do not notice. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { GodwitError, serverOperations } from "@godwit/contract";
import { Client } from "@godwit/client";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstOwnPort } from "../../../test-kit/src/own-ports.ts";
import { HttpServer, mount, mountSockets, type Authority, type Handlers } from "../src/index.ts";
import { connectionLimits, limits, refusalsPerWindow, unknownBodies } from "../src/limits.ts";
import { WindowStore } from "../src/window-store.ts";

const token = "the-admin-token";
const port = firstOwnPort;
const agentPort = port + 1;
let authority: KeyAndCertificate;
let host: { cert: string; key: string };
const servers: HttpServer[] = [];

async function signed(unit: "server" | "host", commonName: string): Promise<{ cert: string; key: string }> {
  const { keyPem, requestPem } = await createKeyAndRequest(commonName);
  const cert = await issueCertificate({ authority, requestPem, unit, commonName, validDays: 1 });
  return { cert, key: keyPem };
}

beforeAll(async () => {
  authority = await createAuthority("test");
  host = await signed("host", "a");
  const own = await signed("server", "godwit-server");
  const handlers = {
    version: () => ({ name: "godwit" as const, version: "1" }),
    hostTokenCreate: () => ({ token: "t", expiresAt: new Date().toISOString() }),
    hostJoin: () => {
      throw GodwitError.of("TOKEN_INVALID", { reason: "unknown" });
    },
  } as unknown as Handlers<typeof serverOperations>;
  const callers: Authority = { adminToken: token, mayConnect: () => true };
  for (const [at, certificateRequired] of [
    [port, false],
    [agentPort, true],
  ] as const) {
    const tls = { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem };
    const server = new HttpServer({ tls, log: pino({ level: "silent" }), certificateRequired });
    mount(server, serverOperations, handlers, callers);
    mountSockets(server, serverOperations, handlers, callers);
    await server.listen([{ host: "127.0.0.1", port: at }]);
    servers.push(server);
  }
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

const client = (options: { token?: string; cert?: string; key?: string } = {}, at = port) => {
  const { token: bearer, ...tls } = options;
  return new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(at)}`,
    tls: { ca: authority.certificatePem, servername: "godwit-server", unit: "server", ...tls },
    ...(bearer === undefined ? {} : { token: bearer }),
  });
};

/** A caller that never ends its side, whatever the server does. @param address of the caller */
async function stubborn(address: string, at = port): Promise<TLSSocket> {
  const tcp = connectTcp({ host: "127.0.0.1", port: at, localAddress: address, allowHalfOpen: true });
  tcp.on("error", () => undefined);
  const socket = connect({ socket: tcp, rejectUnauthorized: false });
  socket.on("error", () => undefined);
  await first(socket, "secureConnect", "end", "close");
  return socket;
}

async function first(socket: Socket, ...events: string[]): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const event of events) {
      socket.once(event, () => {
        resolve();
      });
    }
  });
}

/** All that the server says until it ends the connection. */
async function answerTo(socket: TLSSocket, request: string): Promise<string> {
  let text = "";
  const ended = first(socket, "end", "close");
  socket.on("data", (data: Buffer) => {
    text += data.toString("latin1");
  });
  socket.write(request);
  await ended;
  return text;
}

/** Connections that a server holds. */
async function held(server = servers[0]): Promise<number> {
  return await new Promise((resolve) => {
    server?.app.server.getConnections((_, count) => {
      resolve(count);
    });
  });
}

const upgrade = [
  "GET /api/v1/vms/web-1/console HTTP/1.1",
  "Host: here",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
].join("\r\n");

const post = (path: string, body: string, length = body.length) =>
  [
    `POST ${path} HTTP/1.1`,
    "Host: here",
    "Content-Type: application/json",
    `Content-Length: ${String(length)}`,
    "",
    body,
  ].join("\r\n");

test("a refused WebSocket is over at once, also for a caller that does not end its side", async () => {
  const refused = async () => await answerTo(await stubborn("127.0.0.2"), `${upgrade}\r\n\r\n`);
  const answers = await Promise.all(Array.from({ length: 100 }, refused));
  expect(new Set(answers.map((answer) => answer.split("\r\n")[0]))).toEqual(
    new Set(["HTTP/1.1 401 Unauthenticated"]),
  );
  await expect.poll(() => held(), { timeout: 4000 }).toBe(0);
});

test("an agent's port ends a connection without a certificate in the handshake", async () => {
  const socket = await stubborn("127.0.0.2", agentPort);
  const answer = await answerTo(socket, "GET /api/v1/version HTTP/1.1\r\nHost: here\r\n\r\n");
  expect(answer).toBe("");
  const known = client(host, agentPort);
  expect(await known.call("version", {})).toMatchObject({ name: "godwit" });
  await known.close();
});

test("the body of a caller that is refused is not read, and not waited for", async () => {
  const tokens = "/api/v1/hosts/tokens";
  const malformed = await answerTo(await stubborn("127.0.0.3"), post(tokens, "{not json", 1_000_000));
  expect(malformed).toMatch(/^HTTP\/1\.1 401 .*"code":"UNAUTHENTICATED"/s);
  const nowhere = await answerTo(await stubborn("127.0.0.3"), post("/api/v1/nothing", "{", 1_000_000));
  expect(nowhere).toMatch(/^HTTP\/1\.1 404 .*"code":"ROUTE_UNKNOWN"/s);
  const tooMuch = await answerTo(await stubborn("127.0.0.3"), post("/api/v1/hosts/join", "{", 70_000));
  expect(tooMuch).toMatch(/^HTTP\/1\.1 400 .*"code":"REQUEST_INVALID"/s);
});

test("a caller that nobody knows sends few bodies at a time, and each soon", async () => {
  const halfSent = async () =>
    await answerTo(await stubborn("127.0.0.4"), post("/api/v1/hosts/join", "{", 100));
  const beganAt = performance.now();
  const answers = await Promise.all(Array.from({ length: unknownBodies.byAddress + 4 }, halfSent));
  expect(answers.filter((answer) => answer === "")).toHaveLength(unknownBodies.byAddress);
  expect(answers.filter((answer) => answer.includes("429 "))).toHaveLength(4);
  const tookMs = performance.now() - beganAt;
  expect(tookMs).toBeGreaterThan(limits.unknownBodyMs - 500);
  expect(tookMs).toBeLessThan(limits.unknownBodyMs + 20_000);
});

test("after some wrong tokens an address is told to wait; the administrator at the same address is not", async () => {
  const stranger = client();
  const join = stranger.call("hostJoin", {
    body: {
      token: "gwt1.wrong.0",
      name: "evil",
      agentUrl: "https://10.0.0.1:1",
      certificateRequest: "-----BEGIN x",
      migrationCertificateRequest: "-----BEGIN x",
    },
  });
  await expect(join).rejects.toMatchObject({ code: "TOKEN_INVALID" });
  const guess = () => client({ token: "wrong" }).call("hostTokenCreate", { body: {} });
  for (let n = 1; n < refusalsPerWindow; n += 1)
    await expect(guess()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  await expect(guess()).rejects.toMatchObject({
    code: "RATE_LIMITED",
    message: expect.stringMatching(/^Too many requests; the next is accepted in \d+ s\.$/) as string,
  });
  const head = "GET /api/v1/version HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
  const limited = await answerTo(await stubborn("127.0.0.1"), head);
  expect(limited).toMatch(/^HTTP\/1\.1 429 .*retry-after: \d+\r\n/is);
  expect(await client({ token }).call("hostTokenCreate", { body: {} })).toMatchObject({ token: "t" });
  expect(await answerTo(await stubborn("127.0.0.5"), head)).toMatch(/^HTTP\/1\.1 200/);
});

test("connections that say nothing are few by address, and are ended; others get in meanwhile", async () => {
  const ended: Socket[] = [];
  const silent = Array.from({ length: connectionLimits.unknownByAddress + 50 }, () => {
    const socket = connectTcp({ host: "127.0.0.1", port, localAddress: "127.0.0.6" });
    socket.on("error", () => undefined);
    socket.once("close", () => ended.push(socket));
    return socket;
  });
  await expect.poll(() => ended.length).toBe(50);
  expect(await client({ token }).call("version", {})).toMatchObject({ name: "godwit" });
  await expect.poll(() => ended.length).toBe(silent.length);
});

test("the window of a limit is over when its time is, whatever the wall clock says", () => {
  const store = new WindowStore();
  const counts: number[] = [];
  const count = () => {
    store.incr("x", (_, result) => counts.push(result?.current ?? -1), 1e9);
  };
  count();
  count();
  store.read("x", (_, result) => counts.push(result?.current ?? -1), 1e9);
  store.read("x", (_, result) => counts.push(result?.current ?? -1), -1);
  for (let n = 0; n < 20_000; n += 1) store.incr(`key ${String(n)}`, () => undefined, 1e9);
  store.read("x", (_, result) => counts.push(result?.current ?? -1), 1e9); // forgotten: the keys are bounded
  expect(counts).toEqual([1, 2, 2, 0, 0]);
});
