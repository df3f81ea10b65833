/**
 * The line between the two agents of a move: a WebSocket over mutual TLS. Messages may be lost with the
 * line; the protocol says again what matters. Either end notices a dead line by the missing heartbeat.
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import {
  certificateOf,
  commonVersion,
  migrationName,
  GodwitError,
  helloHeaders,
  helloOf,
  peerPath,
  silentHello,
  versionsOf,
  type CertificateOf,
  type Hello,
  type MoveOrder,
  type Problem,
} from "@godwit/contract";
import { toDestinationWire, toSourceWire, type ToDestination, type ToSource } from "@godwit/migration";
import type { Logger } from "pino";
import { WebSocket } from "ws";
import type { CurrentIdentity } from "../identity.ts";
import type { Members } from "../members.ts";
import { PeerLine } from "./peer-line.ts";

const heartbeatMs = 400;
/** Without a heartbeat for this long the line is dead. */
const silenceMs = 3000;
/** A peer that responded within this time could start the VM without delay. */
const freshMs = 1500;
const reconnectMs = 200;
/** To an agent with which no version is in common: it may be upgraded. */
const unsupportedReconnectMs = 2000;
const connectLimitMs = 4000;

export interface PeerListener<Message> {
  onMessage: (message: Message) => void;
  /** @param peer what the destination's agent tells of its version */
  onUp: (peer: Hello) => void;
  onDown: () => void;
  /** The two agents have no version in common; the connection is not used. */
  onUnsupported: (problem: Problem) => void;
}

/** The source's end: makes the line, and makes it again for as long as the move goes on. */
export class PeerLink {
  readonly #url: string;
  readonly #order: MoveOrder;
  readonly #identity: CurrentIdentity;
  readonly #members: Pick<Members, "has">;
  #destination: CertificateOf | null = null;
  #told: number | undefined;
  readonly #hello: Hello;
  readonly #listener: PeerListener<ToSource>;
  readonly #log: Logger;
  #line: PeerLine<ToSource, ToDestination> | null = null;
  #socket: WebSocket | null = null;
  #heardAt = 0;
  #roundTripMs = 0;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param hello of this agent */
  constructor(
    order: MoveOrder,
    parts: { identity: CurrentIdentity; members: Pick<Members, "has">; hello: Hello },
    listener: PeerListener<ToSource>,
    log: Logger,
  ) {
    this.#url = order.to.agentUrl.replace(/^https/, "wss") + peerPath(order.id);
    this.#order = order;
    this.#identity = parts.identity;
    this.#members = parts.members;
    this.#hello = parts.hello;
    this.#listener = listener;
    this.#log = log;
    this.#connect();
  }

  /**
   * How the destination's QEMU is known: by the certificate that its agent showed last, or one of the same member by whose
   * number it told. A certificate from before a renewal counts here, because one that counts vouches for it.
   */
  get destinationName(): string {
    const { host } = this.#order.to;
    if (this.#destination === null) return host;
    return migrationName(host, { ...this.#destination, number: this.#told ?? this.#destination.number });
  }

  /** The destination's agent tells which of its certificates its QEMU shows. */
  expectCertificate(number: number | undefined): void {
    this.#told = number;
  }

  get isFresh(): boolean {
    return this.#line?.socket.readyState === WebSocket.OPEN && performance.now() - this.#heardAt < freshMs;
  }

  /** Of the last heartbeat. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Lost when the line is down. */
  send(message: ToDestination): void {
    this.#line?.send(message);
  }

  /** What was sent is still delivered. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const { caPem, certificatePem, keyPem } = this.#identity.current;
    const options = {
      ca: caPem,
      cert: certificatePem,
      key: keyPem,
      servername: this.#order.to.host,
      headers: helloHeaders(this.#hello),
      handshakeTimeout: connectLimitMs,
      perMessageDeflate: false,
      maxPayload: 1 << 20,
      checkServerIdentity: (host: string, certificate: PeerCertificate) => {
        const problem = checkHost(this.#members, host, certificate);
        if (problem === undefined)
          this.#destination = certificateOf(certificate.subjectaltname, certificate.fingerprint256);
        return problem;
      },
    };
    // ws hands the TLS options on to Node; its types know only some of them.
    const socket = new WebSocket(this.#url, options);
    this.#socket = socket;
    let heartbeat: NodeJS.Timeout | undefined;
    let pingAt = 0;
    let wasUp = false;
    let peer = silentHello;
    socket.on("upgrade", ({ headers }) => {
      peer = helloOf(headers);
    });
    socket.on("open", () => {
      const version = commonVersion(this.#hello.protocol, peer.protocol);
      if (version === null) {
        socket.close();
        this.#refuse(peer);
        return;
      }
      wasUp = true;
      this.#line = this.#lineOn(socket, version);
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
      // What came in while this program itself stood still is read first.
      heartbeat = setInterval(() => setImmediate(beat), heartbeatMs);
      this.#listener.onUp(peer);
    });
    socket.on("pong", () => {
      this.#heardAt = performance.now();
      this.#roundTripMs = this.#heardAt - pingAt;
    });
    socket.on("message", () => {
      this.#heardAt = performance.now();
    });
    socket.on("error", (error) => {
      this.#log.info({ err: error }, "peer line");
    });
    socket.on("close", () => {
      clearInterval(heartbeat);
      if (this.#closed) return;
      if (wasUp) this.#listener.onDown();
      const isSupported = commonVersion(this.#hello.protocol, peer.protocol) !== null;
      this.#timer = setTimeout(
        () => {
          this.#connect();
        },
        isSupported ? reconnectMs : unsupportedReconnectMs,
      );
    });
  }

  #lineOn(socket: WebSocket, version: number): PeerLine<ToSource, ToDestination> {
    const line = new PeerLine<ToSource, ToDestination>(socket, {
      version,
      heard: toSourceWire,
      said: toDestinationWire,
      host: this.#order.from,
      hello: this.#hello,
      log: this.#log,
    });
    line.onMessage(this.#listener.onMessage);
    return line;
  }

  #refuse(peer: Hello): void {
    const { from, to } = this.#order;
    const versions = versionsOf(`host ${to.host}`, peer, `host ${from}`, this.#hello);
    const { problem } = GodwitError.of("VERSION_UNSUPPORTED", versions);
    this.#log.warn({ problem }, "no version in common");
    this.#listener.onUnsupported(problem);
  }
}

/** The peer's certificate must be of a host, not merely of something on it, and the host a member of the cluster. */
function checkHost(
  members: Pick<Members, "has">,
  host: string,
  certificate: PeerCertificate,
): Error | undefined {
  if (certificate.subject.OU !== "host") return new Error("its certificate is not a host's");
  if (!members.has(host, certificateOf(certificate.subjectaltname, certificate.fingerprint256)))
    return new Error(`host ${host} is not a member of the cluster, or has another certificate since`);
  return checkServerIdentity(host, certificate);
}

export type DestinationLine = PeerLine<ToDestination, ToSource>;

/** The destination's end: whatever line the source made last. */
export class AcceptedPeer {
  #line: DestinationLine | null = null;

  get isUp(): boolean {
    return this.#line !== null;
  }

  /** Takes over a new line. */
  attach(line: DestinationLine, onDown: () => void): void {
    const { socket } = line;
    this.#line?.socket.terminate();
    this.#line = line;
    let heardAt = performance.now();
    socket.on("ping", () => {
      heardAt = performance.now();
    });
    const isSilent = () => performance.now() - heardAt > silenceMs;
    const watch = setInterval(() => {
      // What came in while this program itself stood still is read first.
      setImmediate(() => {
        if (isSilent()) socket.terminate();
      });
    }, heartbeatMs);
    socket.on("error", () => undefined);
    const ended = () => {
      clearInterval(watch);
      if (this.#line !== line) return;
      this.#line = null;
      onDown();
    };
    socket.on("close", ended);
    // It may have been lost while the move was being entered: nobody would tell of that any more.
    if (socket.readyState === WebSocket.CLOSED) queueMicrotask(ended);
  }

  send(message: ToSource): void {
    this.#line?.send(message);
  }

  close(): void {
    this.#line?.socket.close();
  }
}
