/** A host that somebody else controls answers the server: without end, slowly, with nonsense, and faster than it can be read. */
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { agentOperations, GodwitError } from "@godwit/contract";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostAnswers } from "../src/bounded.ts";
import { Client } from "../src/index.ts";

let authority: KeyAndCertificate;
let server: Server;
let answer: RequestListener = () => undefined;

beforeAll(async () => {
  authority = await createAuthority("test");
  const { keyPem, requestPem } = await createKeyAndRequest("b");
  const cert = await issueCertificate({
    ...{ authority, requestPem, unit: "host", commonName: "b", validDays: 1 },
  });
  server = createServer({ cert, key: keyPem }, (request, response) => {
    response.on("error", () => undefined);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

/** @param timeoutMs longer than a busy machine takes for what is larger than the limits */
const client = (timeoutMs = 120_000) =>
  new Client(agentOperations, {
    baseUrl: `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    tls: { ca: authority.certificatePem, servername: "b", unit: "host" },
    limits: hostAnswers,
    timeoutMs,
  });

/** Sends blocks as fast as they are taken. @returns how many bytes were */
const endless = (block: string, head = "", status = 200): { bytes: number } => {
  const sent = { bytes: 0 };
  answer = (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.write(head);
    const more = () => {
      while (!response.destroyed) {
        sent.bytes += block.length;
        if (!response.write(block)) {
          response.once("drain", more);
          return;
        }
      }
    };
    more();
  };
  return sent;
};
const refusal = async (call: Promise<unknown>): Promise<string> =>
  await call.then(
    () => "answered",
    (error: unknown) => (GodwitError.is(error) ? `${error.code}: ${error.message}` : `bug: ${String(error)}`),
  );
const mib = 1024 * 1024;

test("an answer without end is read to its limit only, and an error without end too", async () => {
  const sent = endless("x".repeat(mib), '{"');
  await using caller = closing(client());
  expect(await refusal(caller.client.call("load", {}))).toMatch(
    /^CONNECTION_FAILED.*longer than 8388608 bytes/,
  );
  expect(sent.bytes).toBeLessThan(16 * mib);
  endless("x".repeat(mib), '{"', 500);
  expect(await refusal(caller.client.call("facts", {}))).toMatch(/longer than 4194304 bytes/);
});

test("an answer that comes a byte at a time is not waited for", async () => {
  answer = (_, response) => {
    response.writeHead(200);
    const drip = setInterval(() => response.write(" "), 100);
    response.on("close", () => {
      clearInterval(drip);
    });
  };
  await using caller = closing(client(2000));
  expect(await refusal(caller.client.call("load", {}))).toMatch(/had no end after 2 s/);
});

test("what is not JSON is an answer that is not understood", async () => {
  answer = (_, response) => response.end("{nope");
  await using caller = closing(client());
  expect(await refusal(caller.client.call("load", {}))).toMatch(/^ANSWER_NOT_UNDERSTOOD/);
  answer = (_, response) => response.writeHead(403).end("{nope");
  expect(await refusal(caller.client.call("load", {}))).toMatch(/^ANSWER_NOT_UNDERSTOOD.*status 403/);
  answer = (_, response) => response.end('data: {"id": "no"}\n\n');
  expect(await refusal(drain(caller.client))).toMatch(/^CONNECTION_FAILED.*not an event/);
});

test("an event without end ends the stream; many events are read no faster than they may come", async () => {
  const sent = endless("x".repeat(mib), "data: ");
  await using caller = closing(client());
  expect(await refusal(drain(caller.client))).toMatch(/^CONNECTION_FAILED/);
  expect(sent.bytes).toBeLessThan(16 * mib);

  const event = {
    id: 1,
    at: new Date().toISOString(),
    type: "later",
    subject: { kind: "host", id: "b" },
    data: {},
  };
  const flood = endless(`data: ${JSON.stringify({ ...event, data: "x".repeat(10_000) })}\n\n`);
  let unknown = 0;
  const beganAt = performance.now();
  const enough = new AbortController();
  await drain(caller.client, enough.signal, () => {
    if (unknown === 0)
      setTimeout(() => {
        enough.abort();
      }, 2500);
    unknown += 1;
  });
  // On a busy machine it is ended later.
  const mayCome = hostAnswers.eventsPerSecond * (2 + (performance.now() - beganAt) / 1000);
  expect(unknown).toBeGreaterThan(0);
  expect(unknown * 10_000).toBeLessThan(mayCome);
  // Beyond what was read, as much as the two kernels and Node hold of a connection.
  expect(flood.bytes).toBeLessThan(mayCome + 16 * mib);
});

async function drain(
  caller: Client<typeof agentOperations>,
  signal = AbortSignal.timeout(120_000),
  onUnknown: () => void = () => undefined,
): Promise<void> {
  const events = caller.events("events", { signal, onUnknown });
  while ((await events.next()).done !== true);
}

function closing(caller: Client<typeof agentOperations>): AsyncDisposable & { client: typeof caller } {
  return {
    client: caller,
    [Symbol.asyncDispose]: () => caller.close(),
  };
}
