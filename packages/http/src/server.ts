/**
 * An HTTPS server for the contract's operations, on one or several addresses. A server takes callers without a
 * certificate, and decides by operation; an agent ends their connections in the TLS handshake. Connections are counted,
 * and handshakes, heads, requests and idle time have limits (limits.ts).
 */
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { GodwitError, helloHeaders, plainHello, type Hello } from "@godwit/contract";
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { Callers } from "./callers.ts";
import { Connections } from "./connections.ts";
import { limits } from "./limits.ts";
import { answerErrors, routeUnknown } from "./problems.ts";

export interface TlsIdentity {
  certificatePem: string;
  keyPem: string;
  /** Who signs the callers' certificates. */
  caPem: string;
}

/** An address, or a socket that listens already and was inherited as a file descriptor. */
export type ListenAddress = { host: string; port: number } | { fd: number };

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface HttpServerOptions {
  tls: TlsIdentity;
  log: FastifyBaseLogger;
  /** Goes with every answer; default: the protocol only. */
  hello?: Hello;
  /** Whether a connection without a certificate of the cluster is ended in its handshake. Default: no. */
  certificateRequired?: boolean;
}

export class HttpServer {
  readonly app: FastifyInstance;
  readonly callers: Callers;
  #tls: TlsIdentity;
  readonly #certificateRequired: boolean;
  readonly #servers: Server[] = [];
  readonly #connections = new Connections();
  readonly #upgrades: { matches: (path: string) => boolean; listener: UpgradeListener }[] = [];
  #handle: RequestListener | undefined;

  constructor(options: HttpServerOptions) {
    this.#tls = options.tls;
    this.#certificateRequired = options.certificateRequired ?? false;
    const headers = Object.entries(helloHeaders(options.hello ?? plainHello));
    this.app = Fastify({
      loggerInstance: options.log,
      logController: new LogController({ disableRequestLogging: true }),
      bodyLimit: 1024 * 1024,
      // Fastify makes one server; the further addresses share its request handler.
      serverFactory: (handler) => {
        this.#handle = handler;
        return this.#makeServer();
      },
    });
    this.callers = new Callers(this.app, this.#connections);
    answerErrors(this.app, this.callers);
    this.app.addHook("onRequest", (request, { raw }, done) => {
      for (const [name, value] of headers) raw.setHeader(name, value);
      // No body is read for an operation that does not exist.
      done(request.is404 ? routeUnknown(request) : undefined);
    });
    this.app.addHook("onSend", (_, { raw }, __, done) => {
      raw.setTimeout(limits.answerStallMs, () => raw.destroy());
      done();
    });
  }

  /** @throws PORT_IN_USE */
  async listen(addresses: readonly ListenAddress[]): Promise<void> {
    await this.app.ready();
    for (const [index, address] of addresses.entries()) {
      const server = index === 0 ? (this.app.server as unknown as Server) : this.#makeServer();
      await listenOn(server, address);
    }
  }

  /** Answers connections to some paths that ask for another protocol (WebSocket). */
  onUpgrade(matches: (path: string) => boolean, listener: UpgradeListener): void {
    this.#upgrades.push({ matches, listener });
  }

  /** Shows another certificate from now on; connections that stand are kept. */
  renew(tls: TlsIdentity): void {
    this.#tls = tls;
    for (const server of this.#servers) server.setSecureContext(secureContext(tls));
  }

  async close(): Promise<void> {
    this.#connections.closeAll();
    await Promise.all(
      this.#servers
        .filter((server) => server.listening)
        .map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  #makeServer(): Server {
    const server = createServer(
      {
        ...secureContext(this.#tls),
        requestCert: true,
        rejectUnauthorized: this.#certificateRequired,
        noDelay: true,
        handshakeTimeout: limits.handshakeMs,
        headersTimeout: limits.headersMs,
        requestTimeout: limits.requestMs,
        keepAliveTimeout: this.#certificateRequired ? limits.knownIdleMs : limits.idleMs,
        connectionsCheckingInterval: limits.checkEveryMs,
      },
      (request, response) => this.#handle?.(request, response),
    );
    server.on("connection", (socket: Socket) => {
      this.#connections.accept(socket);
    });
    server.on("secureConnection", (socket: TLSSocket) => {
      this.#connections.secured(socket);
    });
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => undefined);
      const path = request.url?.split("?")[0] ?? "";
      const found = this.#upgrades.find(({ matches }) => matches(path));
      if (found === undefined) endWith(socket, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      else found.listener(request, socket, head);
    });
    this.#servers.push(server);
    return server;
  }
}

/** Ends a connection after its last words: without waiting for the other end, which may never end it. */
export function endWith(socket: Duplex, text: string): void {
  socket.end(text, () => socket.destroy());
  setTimeout(() => socket.destroy(), limits.headersMs).unref();
}

const secureContext = ({ certificatePem, keyPem, caPem }: TlsIdentity) =>
  ({ cert: certificatePem, key: keyPem, ca: caPem, minVersion: "TLSv1.3" }) as const;

async function listenOn(server: Server, address: ListenAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EADDRINUSE" && error.code !== "EADDRNOTAVAIL") {
      reject(error);
      return;
    }
    const text =
      "fd" in address ? `file descriptor ${String(address.fd)}` : `${address.host}:${String(address.port)}`;
    reject(
      error.code === "EADDRINUSE"
        ? GodwitError.of("PORT_IN_USE", { address: text })
        : GodwitError.of("USAGE", {
            what: `This host has no address ${text}.`,
            hint: "ip address shows the addresses it has.",
          }),
    );
  };
  server.once("error", onError);
  server.listen(address, () => {
    server.off("error", onError);
    resolve(undefined);
  });
  await promise;
}
