/**
 * The same over real connections: servers with all operations of the contract, callers that were let in, and requests
 * with changed paths, queries and bodies. Each must be answered, and by no internal error.
 */
import { once } from "node:events";
import { request, type RequestOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  agentOperations,
  GodwitError,
  serverOperations,
  type Operation,
  type Operations,
} from "@godwit/contract";
import { HttpServer, mount, mountSockets, type Handlers } from "@godwit/http";
import { createAuthority, createKeyAndRequest, issueCertificate, type KeyAndCertificate } from "@godwit/pki";
import { pino } from "pino";
import { randomOf, variantOf, type Crash, type Random } from "./fuzz.ts";
import { bodies } from "./targets.ts";

const token = "the-admin-token";

/** @returns the requests that were answered by an internal error or not at all, at most ten */
export async function fuzzOverHttp(cases: number, seed: number): Promise<Crash[]> {
  const authority = await createAuthority("fuzz");
  const random = randomOf(seed);
  const crashes: Crash[] = [];
  for (const [operations, unit] of [
    [serverOperations, "host"],
    [agentOperations, "server"],
  ] as const) {
    await using served = await serve(operations, authority);
    const tls = { ca: authority.certificatePem, ...(await signed(authority, unit, unit)) };
    const list = Object.values<Operation>(operations);
    for (let n = 0; n < cases / 2 && crashes.length < 10; n += 1) {
      const operation = list[random(list.length)] as Operation;
      const path = pathOf(operation, random);
      const body = operation.body === undefined ? "" : variantOf(bodies, random);
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (operation.privilege === "admin") headers.authorization = `Bearer ${token}`;
      const options = { ...tls, port: served.port, method: operation.method, path, headers };
      const status = await statusOf(options, body).catch((error: unknown) => error);
      if (typeof status === "number" && status < 500) continue;
      crashes.push({ text: `${operation.method} ${path} ${body}`, error: status });
    }
  }
  return crashes;
}

function pathOf({ path, query }: Operation, random: Random): string {
  const text = (): string => {
    const changed = variantOf(["web-1", "11111111-1111-4111-8111-111111111111", "10"], random);
    return random(4) === 0 ? `%${String(random(100))}%zz` : encodeURIComponent(changed.toWellFormed());
  };
  const filled = path.replaceAll(/\{\w+\}/g, text);
  const asked = Object.keys(query?.shape ?? {}).map((name) => `${name}=${text()}`);
  return asked.length === 0 ? filled : `${filled}?${asked.join("&")}`;
}

/** @throws when the connection ends without an answer */
async function statusOf(options: RequestOptions, body: string): Promise<number> {
  const sent = request({ ...options, host: "127.0.0.1", servername: "godwit-server", timeout: 10_000 });
  sent.on("timeout", () => sent.destroy(new Error("no answer within 10 s")));
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [{ statusCode: number; resume: () => void }];
  answer.resume();
  await once(answer as unknown as TLSSocket, "end");
  return answer.statusCode;
}

interface Served extends AsyncDisposable {
  port: number;
}

/** Each handler finds nothing: what is tried is all that comes before it. */
async function serve(operations: Operations, authority: KeyAndCertificate): Promise<Served> {
  const { cert, key } = await signed(authority, "server", "godwit-server");
  const tls = { certificatePem: cert, keyPem: key, caPem: authority.certificatePem };
  const server = new HttpServer({ tls, log: pino({ level: "silent" }) });
  const nothing = () => {
    throw GodwitError.of("VM_UNKNOWN", { vm: "web-1" });
  };
  const handlers = new Proxy({}, { get: () => nothing }) as Handlers<Operations>;
  const callers = { adminToken: token, mayConnect: () => true };
  mount(server, operations, handlers, callers);
  mountSockets(server, operations, handlers, callers);
  await server.listen([{ host: "127.0.0.1", port: 0 }]);
  const { port } = server.app.server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => server.close() };
}

async function signed(
  authority: KeyAndCertificate,
  unit: "server" | "host",
  commonName: string,
): Promise<{ cert: string; key: string }> {
  const { keyPem, requestPem } = await createKeyAndRequest(commonName);
  return {
    cert: await issueCertificate({ authority, requestPem, unit, commonName, validDays: 1 }),
    key: keyPem,
  };
}
