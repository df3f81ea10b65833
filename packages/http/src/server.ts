/**
 * An HTTPS server for the contract's operations, on one or several addresses. Callers may show a
 * certificate of the cluster's authority; whether they must is decided by operation.
 */
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { GodwitError, helloHeaders, plainHello, type Hello } from "@godwit/contract";
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { answerErrors } from "./mount.ts";

export interface TlsIdentity {
  certificatePem: string;
  keyPem: string;
  /** Who signs the callers' certificates. */
  caPem: string;
}

/** An address, or a socket that listens already and was inherited as a file descriptor. */
export type ListenAddress = { host: string; port: number } | { fd: number };

export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export class HttpServer {
  readonly app: FastifyInstance;
  readonly #tls: TlsIdentity;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #upgrades: { matches: (path: string) => boolean; listener: UpgradeListener }[] = [];
  #handle: RequestListener | undefined;

  /** @param options.hello goes with every answer; default: the protocol only */
  constructor(options: { tls: TlsIdentity; log: FastifyBaseLogger; hello?: Hello }) {
    this.#tls = options.tls;
    const headers = Object.entries(helloHeaders(options.hello ?? plainHello));
    this.app = Fastify({
      loggerInstance: options.log,
      disableRequestLogging: true,
      bodyLimit: 1024 * 1024,
      // Fastify makes one server; the further addresses share its request handler.
      serverFactory: (handler) => {
        this.#handle = handler;
        return this.#makeServer();
      },
    });
    answerErrors(this.app);
    this.app.addHook("onRequest", (_, { raw }, done) => {
      for (const [name, value] of headers) raw.setHeader(name, value);
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

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      this.#servers
        .filter((server) => server.listening)
        .map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  #makeServer(): Server {
    const server = createServer(
      {
        cert: this.#tls.certificatePem,
        key: this.#tls.keyPem,
        ca: this.#tls.caPem,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: "TLSv1.3",
        noDelay: true,
      },
      (request, response) => this.#handle?.(request, response),
    );
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => undefined);
      const path = request.url?.split("?")[0] ?? "";
      const found = this.#upgrades.find(({ matches }) => matches(path));
      if (found === undefined) socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      else found.listener(request, socket, head);
    });
    server.on("secureConnection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#servers.push(server);
    return server;
  }
}

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
