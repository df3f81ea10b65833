/** Connections that are kept, lost, slow and silent: what a call tells of each, and what it does again. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { Operations } from "@godwit/contract";
import { Client } from "../src/index.ts";

const operations = {
  read: {
    method: "GET",
    path: "/read",
    privilege: "public",
    summary: "Read",
    answer: { status: 200, body: z.object({ turn: z.number() }) },
    errors: [],
  },
  write: {
    method: "POST",
    path: "/write",
    privilege: "public",
    summary: "Write",
    body: z.object({}),
    answer: { status: 200, body: z.object({ turn: z.number() }) },
    errors: [],
  },
} as const satisfies Operations;

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const sockets = new Set<Socket>();
const asked: string[] = [];

beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    asked.push(request.method ?? "");
    answer(request, response);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const clientOf = (port: number, timeoutMs = 2000) =>
  new Client(operations, { baseUrl: `http://127.0.0.1:${String(port)}`, timeoutMs });
const portOf = (of: { address: () => unknown }): number => (of.address() as AddressInfo).port;
const turn = (response: ServerResponse) => response.end(JSON.stringify({ turn: asked.length }));

test("a kept connection is used again, and a question over one that has ended meanwhile is asked once more", async () => {
  answer = (_, response) => turn(response);
  const client = clientOf(portOf(server));
  expect(await client.call("read", {})).toEqual({ turn: 1 });
  expect(await client.call("read", {})).toEqual({ turn: 2 });
  expect(sockets.size).toBe(1);
  // Its end is met by the next request, as when both cross on the way.
  answer = (request, response) => {
    if (asked.length === 3) request.socket.destroy();
    else turn(response);
  };
  expect(await client.call("read", {})).toEqual({ turn: 4 });
  await client.close();
});

test("what may have been done is never asked for twice: its outcome is not known", async () => {
  answer = (_, response) => turn(response);
  const client = clientOf(portOf(server));
  await client.call("write", { body: {} });
  answer = (request) => request.socket.destroy();
  await expect(client.call("write", { body: {} })).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(asked).toEqual(["POST", "POST"]);
  await client.close();
});

test("an answer that does not begin, or stops in the middle, is told in so many words", async () => {
  const client = clientOf(portOf(server), 500);
  answer = () => undefined;
  await expect(client.call("read", {})).rejects.toThrow("it did not answer in time");
  await expect(client.call("write", { body: {} })).rejects.toMatchObject({ code: "OUTCOME_UNKNOWN" });
  answer = (request, response) => {
    response.write('{"turn"');
    setTimeout(() => request.socket.destroy(), 100);
  };
  await expect(client.call("read", {})).rejects.toThrow("the connection was closed");
  await client.close();
});

test("what waits for a connection that is never made was surely not done", async () => {
  // It accepts and says nothing, so that no TLS handshake ends.
  const silent = createTcpServer((socket) => socket.on("error", () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const client = new Client(operations, {
    baseUrl: `https://127.0.0.1:${String(portOf(silent))}`,
    timeoutMs: 10_000,
  });
  await expect(client.call("write", { body: {} })).rejects.toMatchObject({
    code: "CONNECTION_FAILED",
    problem: { details: { reason: "it did not answer" } },
  });
  await client.close();
  silent.close();
});

test("a client that is closed ends what is under way, and takes no more", async () => {
  answer = () => undefined;
  const client = clientOf(portOf(server), 10_000);
  const underWay = client.call("read", {});
  underWay.catch(() => undefined);
  await expect.poll(() => asked.length).toBe(1);
  await client.close();
  await expect(underWay).rejects.toThrow("the client was closed");
  await expect(client.call("read", {})).rejects.toThrow("the client was closed");
  await expect.poll(() => sockets.size).toBe(0);
});

test("an answer that came while this program itself stood still is no silence of the other side", async () => {
  // In a thread of its own: it goes on while this one does not.
  const program = `
    const { parentPort } = require("node:worker_threads");
    require("node:http")
      .createServer((_, response) => setTimeout(() => response.end('{"turn":1}'), 100))
      .listen(0, "127.0.0.1", function () { parentPort.postMessage(this.address().port); });`;
  const worker = new Worker(program, { eval: true });
  try {
    const port = await new Promise<number>((resolve) => worker.once("message", resolve));
    const client = clientOf(port, 1000);
    await client.call("read", {});
    const answered = client.call("read", {});
    for (let tick = 0; tick < 5; tick++) await setImmediate();
    const until = performance.now() + 2000;
    while (performance.now() < until);
    expect(await answered).toEqual({ turn: 1 });
  } finally {
    await worker.terminate();
  }
});
