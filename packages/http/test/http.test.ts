/** The contract over real TLS: who may call, what comes in, how errors look, and streams that resume. */
import { Client } from "@godwit/client";
import { GodwitError, serverOperations, type ServerEvent } from "@godwit/contract";
import {
  createAuthority,
  createKeyAndRequest,
  fingerprintOf,
  issueCertificate,
  type KeyAndCertificate,
  type Unit,
} from "@godwit/pki";
import { pino } from "pino";
import { Agent, request } from "undici";
import { z } from "zod";
import type { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstOwnPort } from "../../../test-kit/src/own-ports.ts";
import { HttpServer, mount, mountSockets, type Authority, type Handlers } from "../src/index.ts";

const token = "the-admin-token";
const port = firstOwnPort;
const url = `https://127.0.0.1:${String(port)}`;
let authority: KeyAndCertificate;
let server: HttpServer;
let known = "";

const signed = async (unit: Unit, commonName: string, by = authority, validDays = 1) => {
  const { keyPem, requestPem } = await createKeyAndRequest(commonName);
  const certificatePem = await issueCertificate({
    authority: by,
    requestPem,
    unit,
    commonName,
    dnsNames: ["localhost"],
    validDays,
  });
  return { cert: certificatePem, key: keyPem };
};
const events: ServerEvent[] = [1, 2, 3].map((id) => ({
  id,
  at: new Date().toISOString(),
  type: "host.lost",
  subject: { kind: "host", id: "a" },
  data: { reason: "the connection was closed" },
}));
/** As a newer server may send them: of a type, or with data, that this version does not know. */
const newerEvents = [
  { ...events[0], id: 4, type: "host.renamed", data: { to: "b" } },
  { ...events[0], id: 5, data: { reason: { code: "CLOSED" } } },
];

beforeAll(async () => {
  authority = await createAuthority("test");
  const own = await signed("server", "godwit-server");
  server = new HttpServer({
    tls: { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem },
    log: pino({ level: "silent" }),
  });
  const handlers = {
    version: () => ({ name: "godwit" as const, version: "1" }),
    hostTokenCreate: ({ body }: { body: { validSeconds: number } }) => ({
      token: String(body.validSeconds),
      expiresAt: new Date().toISOString(),
    }),
    hostList: () => {
      throw new Error("secret words of the inside");
    },
    leaseListOwn: () => ({ leases: [] }),
    vmConsole: ({ params }: { params: { vm: string } }) => {
      if (params.vm === "nobody") throw GodwitError.of("VM_UNKNOWN", { vm: params.vm });
      return (line: WebSocket) => {
        line.on("message", (data) => {
          line.send(data);
        });
        line.send(params.vm);
      };
    },
    events: ({ query }: { query: { after?: number } }) =>
      ReadableStream.from([...events, ...newerEvents].filter(({ id }) => id > (query.after ?? 3))),
  } as unknown as Handlers<typeof serverOperations>;
  const callers: Authority = {
    adminToken: token,
    mayConnect: (host, { id }) => host === "a" && id === known,
  };
  mount(server, serverOperations, handlers, callers);
  mountSockets(server, serverOperations, handlers, callers);
  await server.listen([{ host: "127.0.0.1", port }]);
});
afterAll(async () => {
  await server.close();
});

const client = (options: { token?: string; cert?: string; key?: string; ca?: string } = {}) => {
  const { token: bearer, ca, ...tls } = options;
  return new Client(serverOperations, {
    baseUrl: url,
    tls: { ca: ca ?? authority.certificatePem, servername: "godwit-server", unit: "server", ...tls },
    ...(bearer === undefined ? {} : { token: bearer }),
  });
};
const codeOf = async (call: Promise<unknown>) =>
  await call.then(
    () => "answered",
    (error: unknown) => (GodwitError.is(error) ? error.code : String(error)),
  );

test("each privilege lets in whom it names, and nobody else", async () => {
  expect(await client().call("version", {})).toEqual({ name: "godwit", version: "1" });
  const create = (options: Parameters<typeof client>[0]) =>
    codeOf(client(options).call("hostTokenCreate", { body: {} }));
  expect(await create({})).toBe("UNAUTHENTICATED");
  expect(await create({ token: "another" })).toBe("UNAUTHENTICATED");
  expect(await create({ token })).toBe("answered");
  const host = await signed("host", "a");
  known = await fingerprintOf(host.cert);
  expect(await create(host)).toBe("FORBIDDEN");
  const own = (options: Parameters<typeof client>[0]) => codeOf(client(options).call("leaseListOwn", {}));
  expect(await own(host)).toBe("answered");
  expect(await own({ token })).toBe("FORBIDDEN");
  expect(await own(await signed("host", "a"))).toBe("CERTIFICATE_INVALID"); // joined again since
  expect(await own(await signed("migration", "a"))).toBe("CERTIFICATE_INVALID"); // QEMU's may not call
  expect(await own(await signed("host", "a", await createAuthority("another")))).toBe("CERTIFICATE_INVALID");
});

test("a certificate that has expired counts no more, the host's or the server's", async () => {
  const host = await signed("host", "a", authority, -1);
  known = await fingerprintOf(host.cert);
  expect(await codeOf(client(host).call("leaseListOwn", {}))).toBe("CERTIFICATE_EXPIRED");

  const own = await signed("server", "godwit-server", authority, -1);
  const stale = new HttpServer({
    tls: { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem },
    log: pino({ level: "silent" }),
  });
  await stale.listen([{ host: "127.0.0.1", port: port + 1 }]);
  const caller = new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(port + 1)}`,
    tls: { ca: authority.certificatePem, servername: "godwit-server", unit: "server" },
    token,
  });
  const refusal = await caller.call("version", {}).catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: "CONNECTION_FAILED",
    message: expect.stringMatching(/its certificate has ended/) as string,
  });
  await caller.close();
  await stale.close();
});

test("a server of another cluster is not talked to", async () => {
  const other = await createAuthority("another");
  expect(await codeOf(client({ ca: other.certificatePem, token }).call("version", {}))).toBe(
    "CONNECTION_FAILED",
  );
});

test("what does not fit the contract is told by field, and nothing of the program's inside is", async () => {
  const agent = new Agent({ connect: { ca: authority.certificatePem, servername: "godwit-server" } });
  const post = async (path: string, body: string) => {
    const answer = await request(url + path, {
      method: "POST",
      dispatcher: agent,
      body,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    });
    return {
      contentType: answer.headers["content-type"],
      ...((await answer.body.json()) as { code: string; detail: string; status: number }),
    };
  };
  expect(await post("/api/v1/hosts/tokens", '{"validSeconds":"long","colour":1}')).toMatchObject({
    contentType: expect.stringContaining("application/problem+json") as string,
    status: 400,
    code: "REQUEST_INVALID",
    detail: expect.stringMatching(/validSeconds.*colour/s) as string,
  });
  expect(await post("/api/v1/hosts/tokens", "{not json")).toMatchObject({ code: "REQUEST_INVALID" });
  const odd = '{"validSeconds":{"length":{"toString":1}}}';
  expect(await post("/api/v1/hosts/tokens", odd)).toMatchObject({ code: "REQUEST_INVALID" });
  expect(await post("/api/v1/hosts/join", `{"name":${odd.slice(16)}`)).toMatchObject({
    code: "REQUEST_INVALID",
  });
  expect(await post("/api/v1/nothing", "{}")).toMatchObject({ status: 404, code: "ROUTE_UNKNOWN" });
  const internal = await client({ token })
    .call("hostList", {})
    .then(
      () => null,
      (error: unknown) => error as GodwitError,
    );
  expect(internal).toMatchObject({ code: "INTERNAL" });
  expect(JSON.stringify(internal?.problem)).not.toContain("secret");
  await agent.close();
});

test("a stream resumes after the event that was heard last", async () => {
  const heard: number[] = [];
  const over = new AbortController();
  for await (const event of client({ token }).events("events", { after: 1, signal: over.signal })) {
    heard.push(event.id);
    if (event.id === 3) break;
  }
  expect(heard).toEqual([2, 3]);
});

test("events of a newer version are passed over, and the stream resumes after them", async () => {
  const heard: number[] = [];
  const passedOver: number[] = [];
  const over = new AbortController();
  let opened = 0;
  const stream = client({ token }).follow("events", {
    after: 1,
    signal: over.signal,
    onOpen: () => {
      opened += 1;
    },
    onUnknown: ({ id }) => passedOver.push(id),
    onLost: () => {
      // The server here ends its stream after the last event: the second one has none left to send.
      if (opened === 2) over.abort();
    },
  });
  for await (const event of stream) heard.push(event.id);
  expect({ heard, passedOver }).toEqual({ heard: [2, 3], passedOver: [4, 5] });
});

test("a WebSocket has the same doors: privilege, validation and refusals before it is one", async () => {
  const open = (options: Parameters<typeof client>[0], vm = "web-1", tailBytes = 0) =>
    client(options).open("vmConsole", { params: { vm }, query: { tailBytes } });
  expect(await codeOf(open({}))).toBe("UNAUTHENTICATED");
  expect(await codeOf(open({ token: "another" }))).toBe("UNAUTHENTICATED");
  const host = await signed("host", "a");
  known = await fingerprintOf(host.cert);
  expect(await codeOf(open(host))).toBe("FORBIDDEN");
  expect(await codeOf(open({ token }, "nobody"))).toBe("VM_UNKNOWN");
  expect(await codeOf(open({ token }, "web-1", -1))).toBe("REQUEST_INVALID");
  expect(await codeOf(client({ token }).call("vmConsole", { params: { vm: "web-1" } }))).toBe(
    "WEBSOCKET_REQUIRED",
  );
  const line = await open({ token });
  const heard: string[] = [];
  const both = new Promise<void>((resolve) => {
    line.on("message", (data) => {
      heard.push((data as Buffer).toString("utf8"));
      if (heard.length === 2) resolve();
    });
  });
  line.resume();
  line.send("hello");
  await both;
  expect(heard).toEqual(["web-1", "hello"]); // what came before anyone listened was kept
  line.terminate();
});

test("two programs of different versions say so to each other, and an answer that is not understood names both", async () => {
  const own = await signed("server", "godwit-server");
  const newer = new HttpServer({
    tls: { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem },
    log: pino({ level: "silent" }),
    hello: { software: "9.1.0", protocol: { oldest: 2, newest: 3 } },
  });
  const body = z.object({ colour: z.string() });
  const operations = {
    version: { ...serverOperations.version, answer: { status: 200, body } },
    hostTokenCreate: { ...serverOperations.hostTokenCreate, answer: { status: 201, body } },
    events: serverOperations.events,
  } as const;
  const heardOf: unknown[] = [];
  const colour = ({ hello }: { hello: unknown }) => {
    heardOf.push(hello);
    return { colour: "grey" };
  };
  const events = () => new ReadableStream<never>();
  const handlers = { version: colour, hostTokenCreate: colour, events } as unknown as Handlers<
    typeof operations
  >;
  mount(newer, operations, handlers, { adminToken: token, mayConnect: () => false });
  await newer.listen([{ host: "127.0.0.1", port: port + 2 }]);
  const hello = { software: "0.1.0", protocol: { oldest: 1, newest: 2 } };
  const caller = new Client(serverOperations, {
    baseUrl: `https://127.0.0.1:${String(port + 2)}`,
    tls: { ca: authority.certificatePem, servername: "godwit-server", unit: "server" },
    ...{ token, hello },
  });
  expect(caller.peer).toBeNull();
  const expected = {
    code: "ANSWER_NOT_UNDERSTOOD",
    message: expect.stringMatching(/9\.1\.0.*0\.1\.0/) as string,
  };
  await expect(caller.call("version", {})).rejects.toMatchObject(expected); // it cannot be read
  await expect(caller.call("hostList", {})).rejects.toMatchObject(expected); // there is no such operation
  // What may have been done is never told as refused.
  expect(await codeOf(caller.call("hostTokenCreate", { body: {} }))).toBe("OUTCOME_UNKNOWN");
  expect(caller.peer).toEqual({ software: "9.1.0", protocol: { oldest: 2, newest: 3 } });
  expect(heardOf).toEqual([hello, hello]);
  const refused = caller.events("events", {
    signal: AbortSignal.timeout(60_000),
    onOpen: () => {
      throw new Error(`not with ${String(caller.peer?.software)}`);
    },
  });
  await expect(refused.next()).rejects.toThrow("not with 9.1.0");
  await caller.close();
  await newer.close();
});

test("an address that is taken, and a server that is not there, have their sentences", async () => {
  const own = await signed("server", "godwit-server");
  const tls = { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem };
  const second = new HttpServer({ tls, log: pino({ level: "silent" }) });
  expect(await codeOf(second.listen([{ host: "127.0.0.1", port }]))).toBe("PORT_IN_USE");
  const nobody = new Client(serverOperations, {
    baseUrl: "https://127.0.0.1:1",
    tls: { ca: authority.certificatePem },
  });
  expect(await codeOf(nobody.call("hostTokenCreate", { body: {} }))).toBe("CONNECTION_FAILED");
});

test("a stream that is ended as soon as it stands is asked for more and more seldom", async () => {
  const calls = { count: 0 };
  const own = await signed("server", "godwit-server");
  const ending = new HttpServer({
    tls: { certificatePem: own.cert, keyPem: own.key, caPem: authority.certificatePem },
    log: pino({ level: "silent" }),
  });
  const handlers = {
    events: () => {
      calls.count++;
      return ReadableStream.from([]);
    },
  } as unknown as Handlers<typeof serverOperations>;
  mount(ending, { events: serverOperations.events } as never, handlers, {
    adminToken: token,
    mayConnect: () => false,
  });
  await ending.listen([{ host: "127.0.0.1", port: port + 3 }]);
  const over = new AbortController();
  const beganAt = performance.now();
  const followers = Array.from({ length: 75 }, async () => {
    const caller = new Client(serverOperations, {
      baseUrl: `https://127.0.0.1:${String(port + 3)}`,
      tls: { ca: authority.certificatePem, servername: "godwit-server", unit: "server" },
      token,
    });
    const events: ServerEvent[] = [];
    for await (const event of caller.follow("events", { signal: over.signal })) events.push(event);
    await caller.close();
    return events;
  });
  await new Promise((resolve) => setTimeout(resolve, 8000));
  await expect.poll(() => calls.count, { timeout: 240_000 }).toBeGreaterThan(75);
  over.abort();
  expect((await Promise.all(followers)).flat()).toEqual([]);
  await ending.close();
  // 50 ms and then twice as long each time, up to 2 s: at most eleven times within 8 s, and on a busy machine in more time more often.
  const mostEach = 9 + (performance.now() - beganAt) / 2000;
  expect(calls.count).toBeLessThan(75 * mostEach);
});
