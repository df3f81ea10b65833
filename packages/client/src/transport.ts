/**
 * HTTP requests over connections that are kept, by Node's own client: it is loaded in every Node already, where another
 * one would cost a command of the CLI more processor time than its request does.
 */
import {
  request as httpRequest,
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
} from "node:http";
import { request as httpsRequest, Agent as HttpsAgent } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { tlsOptions, type ClientTls } from "./tls.ts";

/** Of the connection; in it, of the TLS handshake too. */
const connectLimitMs = 4000;
const mostConnections = 16;
const idleMs = 60_000;
/** An answer of which nothing comes for so long has no end. */
const silenceMs = 6000;

export interface OutgoingRequest {
  method: string;
  headers: Record<string, string>;
  body: string | null;
  /** Until the head of the answer. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

type Failure = "NOT_CONNECTED" | "NO_ANSWER";

class TransportError extends Error {
  readonly code: Failure;
  constructor(code: Failure) {
    super(code === "NO_ANSWER" ? "it did not answer in time" : "it did not answer");
    this.code = code;
  }
}

export class Transport {
  readonly #secure: HttpsAgent;
  readonly #plain = new HttpAgent({ keepAlive: true, maxSockets: mostConnections, timeout: idleMs });
  readonly #underWay = new Set<ClientRequest>();
  readonly #onConnect: () => void;
  #isRetired = false;

  /** @param onConnect called when a new connection stands, before anything is sent over it */
  constructor(tls: ClientTls | undefined, onConnect: () => void = () => undefined) {
    this.#onConnect = onConnect;
    this.#secure = new HttpsAgent({
      ...{ keepAlive: true, maxSockets: mostConnections, timeout: idleMs },
      ...tlsOptions(tls),
    });
  }

  /** Resolves with the head of the answer; its body is still to be read. */
  async send(url: URL, outgoing: OutgoingRequest): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(url, outgoing);
    } catch (error) {
      // A kept connection that the other side ended in the same moment says nothing of the other side.
      if (outgoing.method !== "GET" || !(error instanceof StaleConnection)) throw unwrapped(error);
    }
    return await this.#sendOnce(url, outgoing).catch((error: unknown) => {
      throw unwrapped(error);
    });
  }

  /** Ends what is under way. */
  close(): void {
    this.#isRetired = true;
    for (const request of this.#underWay) request.destroy(new Error("the client was closed"));
    this.#end();
  }

  /** Takes no new requests; those that are under way end over the connections that they have. */
  retire(): void {
    this.#isRetired = true;
    if (this.#underWay.size === 0) this.#end();
  }

  async #sendOnce(
    url: URL,
    { method, headers, body, timeoutMs, signal }: OutgoingRequest,
  ): Promise<IncomingMessage> {
    if (this.#isRetired) throw new Error("the client was closed");
    const isSecure = url.protocol === "https:";
    const request = (isSecure ? httpsRequest : httpRequest)(url, {
      ...{ method, headers, agent: isSecure ? this.#secure : this.#plain },
      ...(signal === undefined ? {} : { signal }),
    });
    this.#track(request);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const limit = new AnswerLimit(request, timeoutMs);
    request.on("socket", (socket) => {
      if (!request.reusedSocket) socket.once(isSecure ? "secureConnect" : "connect", this.#onConnect);
    });
    request.on("error", (error) => {
      limit.end();
      const { code } = error as NodeJS.ErrnoException;
      reject(request.reusedSocket && code === "ECONNRESET" ? new StaleConnection(error) : error);
    });
    request.on("response", (response) => {
      limit.end();
      endWhenSilent(response);
      resolve(response);
    });
    request.end(body ?? undefined);
    return await promise;
  }

  #track(request: ClientRequest): void {
    this.#underWay.add(request);
    request.on("close", () => {
      this.#underWay.delete(request);
      if (this.#isRetired && this.#underWay.size === 0) this.#end();
    });
  }

  #end(): void {
    this.#secure.destroy();
    this.#plain.destroy();
  }
}

/** The connection was kept from an earlier request, and was ended before an answer. */
class StaleConnection extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause });
  }
}

const unwrapped = (error: unknown): unknown => (error instanceof StaleConnection ? error.cause : error);

/** Ends a request that finds no connection, or no answer over the one that it has, in time. */
class AnswerLimit {
  readonly #request: ClientRequest;
  #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(request: ClientRequest, timeoutMs: number) {
    this.#request = request;
    // While all connections are in use it waits for one.
    this.#timer = this.#arm("NOT_CONNECTED", timeoutMs);
    request.on("socket", (socket) => {
      if (isConnected(socket)) {
        this.#next("NO_ANSWER", timeoutMs);
        return;
      }
      this.#next("NOT_CONNECTED", connectLimitMs);
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", () => {
        this.#next("NO_ANSWER", timeoutMs);
      });
    });
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #next(code: Failure, limitMs: number): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = this.#arm(code, limitMs);
  }

  /** What came in while this program itself stood still is read first: its own stall is not the other side's silence. */
  #arm(code: Failure, limitMs: number): NodeJS.Timeout {
    const timer = setTimeout(() => {
      setImmediate(() => {
        if (!this.#isOver && this.#timer === timer) this.#request.destroy(new TransportError(code));
      });
    }, limitMs);
    return timer;
  }
}

/** Nothing of a request is sent before; a TLS connection has then sent the last message of its handshake. */
const isConnected = (socket: Socket): boolean =>
  socket instanceof TLSSocket ? socket.getFinished() !== undefined : !socket.connecting;

/** A reader that is slower than the other side is no silence of the other side. */
function endWhenSilent(response: IncomingMessage): void {
  const { socket } = response;
  let heard = { bytes: socket.bytesRead, at: performance.now() };
  const timer = setInterval(() => {
    if (response.readableLength > 0 || socket.bytesRead !== heard.bytes)
      heard = { bytes: socket.bytesRead, at: performance.now() };
    else if (performance.now() - heard.at >= silenceMs) response.destroy(new Error("it stopped sending"));
  }, silenceMs / 3);
  response.on("close", () => {
    clearInterval(timer);
  });
}
