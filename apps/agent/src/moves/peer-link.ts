/**
 * The line between the two agents of a move: a WebSocket over mutual TLS. Messages may be lost with the
 * line; the protocol says again what matters. Either end notices a dead line by the missing heartbeat.
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { GodwitError, peerPath, type MoveOrder } from "@godwit/contract";
import { toSourceSchema, type ToDestination, type ToSource } from "@godwit/migration";
import type { Logger } from "pino";
import { WebSocket, type ClientOptions, type RawData } from "ws";
import type { z } from "zod";
import type { AgentIdentity } from "../identity.ts";

const heartbeatMs = 400;
/** Without a heartbeat for this long the line is dead. */
const silenceMs = 3000;
/** A peer that was heard of within this time could start the VM without delay. */
const freshMs = 1500;
const reconnectMs = 200;
const connectLimitMs = 4000;

export interface PeerListener<Message> {
  onMessage: (message: Message) => void;
  onUp: () => void;
  onDown: () => void;
}

/** The source's end: makes the line, and makes it again for as long as the move goes on. */
export class PeerLink {
  readonly #url: string;
  readonly #host: string;
  readonly #identity: AgentIdentity;
  readonly #listener: PeerListener<ToSource>;
  readonly #log: Logger;
  #socket: WebSocket | null = null;
  #heardAt = 0;
  #roundTripMs = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(order: MoveOrder, identity: AgentIdentity, listener: PeerListener<ToSource>, log: Logger) {
    this.#url = order.to.agentUrl.replace(/^https/, "wss") + peerPath(order.id);
    this.#host = order.to.host;
    this.#identity = identity;
    this.#listener = listener;
    this.#log = log;
    this.#connect();
  }

  get isFresh(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN && performance.now() - this.#heardAt < freshMs;
  }

  /** Of the last heartbeat. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Lost when the line is down. */
  send(message: ToDestination): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** What was sent is still delivered. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const options = {
      ca: this.#identity.caPem,
      cert: this.#identity.certificatePem,
      key: this.#identity.keyPem,
      servername: this.#host,
      handshakeTimeout: connectLimitMs,
      perMessageDeflate: false,
      checkServerIdentity: checkHost,
    };
    // ws hands the TLS options on to Node; its types know only some of them.
    const socket = new WebSocket(this.#url, options as unknown as ClientOptions);
    this.#socket = socket;
    let heartbeat: NodeJS.Timeout | undefined;
    let pingAt = 0;
    let wasUp = false;
    socket.on("open", () => {
      wasUp = true;
      this.#heardAt = performance.now();
      // The first at once: the round trip should be known before it matters.
      const beat = () => {
        if (performance.now() - this.#heardAt > silenceMs) {
          socket.terminate();
          return;
        }
        pingAt = performance.now();
        socket.ping();
      };
      beat();
      heartbeat = setInterval(beat, heartbeatMs);
      this.#listener.onUp();
    });
    socket.on("pong", () => {
      this.#heardAt = performance.now();
      this.#roundTripMs = this.#heardAt - pingAt;
    });
    socket.on("message", (data) => {
      this.#heardAt = performance.now();
      const message = parsed(toSourceSchema, data);
      if (message !== null) this.#listener.onMessage(message);
    });
    socket.on("error", (error) => {
      this.#log.info({ err: error }, "peer line");
    });
    socket.on("close", () => {
      clearInterval(heartbeat);
      if (this.#closed) return;
      if (wasUp) this.#listener.onDown();
      this.#timer = setTimeout(() => {
        this.#connect();
      }, reconnectMs);
    });
  }
}

/** The peer's certificate must be of a host, not merely of something on it. */
function checkHost(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subject.OU !== "host") return new Error("its certificate is not a host's");
  return checkServerIdentity(host, certificate);
}

/** The destination's end: whatever line the source made last. */
export class AcceptedPeer {
  #socket: WebSocket | null = null;

  get isUp(): boolean {
    return this.#socket !== null;
  }

  /** Takes over a new line. */
  attach(socket: WebSocket, onDown: () => void): void {
    this.#socket?.terminate();
    this.#socket = socket;
    let heardAt = performance.now();
    socket.on("ping", () => {
      heardAt = performance.now();
    });
    const watch = setInterval(() => {
      if (performance.now() - heardAt > silenceMs) socket.terminate();
    }, heartbeatMs);
    socket.on("error", () => undefined);
    const ended = () => {
      clearInterval(watch);
      if (this.#socket !== socket) return;
      this.#socket = null;
      onDown();
    };
    socket.on("close", ended);
    // It may have been lost while the move was being entered: nobody would tell of that any more.
    if (socket.readyState === WebSocket.CLOSED) queueMicrotask(ended);
  }

  send(message: ToSource): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#socket?.close();
  }
}

/** A message of the other side, or null when it is none: another version's may be unknown. */
export function parsed<S extends z.ZodType>(schema: S, data: RawData): z.output<S> | null {
  try {
    const text = Buffer.isBuffer(data)
      ? data.toString("utf8")
      : Buffer.from(data as ArrayBuffer).toString("utf8");
    return schema.parse(JSON.parse(text));
  } catch (error) {
    if (GodwitError.is(error)) throw error;
    return null;
  }
}
