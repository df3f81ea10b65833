/**
 * A process of simulated agents. Each joins with a token of its own and answers the server over mutual TLS with the
 * certificate that it got; the certificate is chosen by the name that the server asks for, so one port serves them all.
 * What they answer is made as cheaply as can be: this process runs on the machine that is measured.
 */
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureContext, type SecureContext } from "node:tls";
import { once } from "node:events";
import { Client } from "@godwit/client";
import { GodwitError, helloHeaders, serverOperations } from "@godwit/contract";
import { createKeyAndRequest } from "@godwit/pki";
import { ownHello, sleep } from "@godwit/system";
import { factsOfAll, hostName, loadOf } from "./report.ts";

export interface AgentsOrder {
  serverUrl: string;
  serverName: string;
  caPem: string;
  hosts: { host: number; token: string }[];
  vms: number;
}

const heartbeatMs = 2000;
const retryMs = 500;
/** On a machine that is busy with other work everything that this bench starts waits for the processor. */
const joinLimitMs = 180_000;
/** As a real agent's. */
const agentIdleMs = 30_000;

const headers = { ...helloHeaders(ownHello), "content-type": "application/json" };
const streamHeaders = { ...helloHeaders(ownHello), "content-type": "text/event-stream" };

async function simulate(order: AgentsOrder): Promise<void> {
  const contexts = new Map<string, SecureContext>();
  const numbers = new Map(order.hosts.map(({ host }) => [hostName(host), host]));
  const facts = JSON.stringify(await factsOfAll()).slice(1);
  const streams = new Set<ServerResponse>();
  setInterval(() => {
    for (const stream of streams) stream.write(": still here\n\n");
  }, heartbeatMs);

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const { servername: name = "" } = request.socket as unknown as { servername?: string };
    const path = request.url?.split("?")[0];
    if (path === "/agent/v1/load") {
      response.writeHead(200, headers).end(JSON.stringify(loadOf(numbers.get(name) ?? 0, order.vms)));
    } else if (path === "/agent/v1/facts") {
      response.writeHead(200, headers).end(`{"name":"${name}",${facts}`);
    } else if (path === "/agent/v1/events") {
      response.writeHead(200, streamHeaders).write(": connected\n\n");
      streams.add(response);
      response.on("close", () => streams.delete(response));
    } else if (path === "/agent/v1/vm-files") {
      // As if no storage answered: nothing is said of any file.
      response.writeHead(200, headers).end('{"vms":[]}');
    } else if (path === "/agent/v1/members") {
      // Whatever the list is, the answer says that nothing newer is known here.
      response.writeHead(200, headers).end('{"generation":0}');
    } else response.writeHead(404).end();
  };
  const server = createServer(
    {
      ca: order.caPem,
      requestCert: true,
      minVersion: "TLSv1.3",
      keepAliveTimeout: agentIdleMs,
      SNICallback: (name, chosen) => {
        const context = contexts.get(name);
        if (context === undefined) chosen(new Error("not joined yet"));
        else chosen(null, context);
      },
    },
    answer,
  );
  server.listen(0, "127.0.0.1", 4096);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = new Client(serverOperations, {
    baseUrl: order.serverUrl,
    tls: { ca: order.caPem, servername: order.serverName, unit: "server" },
    hello: ownHello,
    timeoutMs: joinLimitMs,
  });
  for (const { host, token } of order.hosts) {
    const name = hostName(host);
    const { keyPem, requestPem } = await createKeyAndRequest(name);
    const body = {
      token,
      name,
      agentUrl: `https://127.0.0.1:${String(port)}`,
      certificateRequest: requestPem,
      migrationCertificateRequest: requestPem,
    };
    for (;;) {
      try {
        const { certificate } = await client.call("hostJoin", { body });
        contexts.set(name, createSecureContext({ cert: certificate, key: keyPem, ca: order.caPem }));
        break;
      } catch (error) {
        // Too many at once, or a database that had no processor for some seconds.
        if (!GodwitError.is(error) || error.problem.retry !== "later") throw error;
        await sleep(retryMs);
      }
    }
  }
  await client.close();
  process.send?.("joined");
}

process.once("message", (order) => {
  simulate(order as AgentsOrder).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
process.once("disconnect", () => process.exit(0));
