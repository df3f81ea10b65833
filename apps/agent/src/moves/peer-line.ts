/**
 * One connection between the two agents of a move, in the version that both speak. A message that cannot be read is
 * answered with `notUnderstood`, so that nobody waits for a step that will not be taken.
 */
import { GodwitError, helloText, parseJson, type Hello, type Problem } from "@godwit/contract";
import type { Wire } from "@godwit/migration";
import type { Logger } from "pino";
import { WebSocket, type RawData } from "ws";

/** A move takes tens of messages in a second at most. */
const messagesPerSecond = 1000;
/** Unsent, because the other side does not read. */
const maxUnsentBytes = 4 * 1024 * 1024;

interface NotUnderstood {
  type: "notUnderstood";
  message: string;
  problem: Problem;
}

export interface PeerLineOptions<Heard, Said> {
  /** Common to both sides. */
  version: number;
  heard: Wire<Heard>;
  said: Wire<Said | NotUnderstood>;
  host: string;
  hello: Hello;
  log: Logger;
}

export class PeerLine<Heard extends { type: string }, Said extends { type: string }> {
  readonly socket: WebSocket;
  readonly #options: PeerLineOptions<Heard, Said>;

  constructor(socket: WebSocket, options: PeerLineOptions<Heard, Said>) {
    this.socket = socket;
    this.#options = options;
  }

  /** Lost when the connection is down; not sent to a version that does not have it. */
  send(message: Said | NotUnderstood): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (this.socket.bufferedAmount > maxUnsentBytes) {
      this.#end("it does not read what is sent to it");
      return;
    }
    const written = this.#options.said.write(message, this.#options.version);
    if (written !== null) this.socket.send(JSON.stringify(written));
  }

  onMessage(listener: (message: Heard) => void): void {
    const { heard, version, host, hello, log } = this.#options;
    let secondBeganAt = performance.now();
    let messages = 0;
    this.socket.on("message", (data) => {
      if (performance.now() - secondBeganAt > 1000) {
        secondBeganAt = performance.now();
        messages = 0;
      }
      messages += 1;
      if (messages > messagesPerSecond) {
        this.#end("it sends too much");
        return;
      }
      const said = parsed(data);
      const message = heard.read(said, version);
      if (message === null) {
        const type = typeOf(said);
        log.warn({ message: type, version }, "a message of the other host's agent is not understood");
        // Never answered itself: two that do not understand each other would go on for ever.
        if (type === "notUnderstood") return;
        const details = { host, version: helloText(hello), message: type };
        const { problem } = GodwitError.of("MESSAGE_NOT_UNDERSTOOD", details);
        this.send({ type: "notUnderstood", message: type, problem });
        return;
      }
      if (message.type === "notUnderstood")
        log.warn({ said: message }, "the other host's agent did not understand");
      try {
        listener(message);
      } catch (error) {
        log.error({ err: error, message: message.type }, "a message of the other host's agent was not taken");
        this.socket.terminate();
      }
    });
  }

  #end(reason: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.#options.log.warn({ reason }, "the connection of the other host's agent was ended");
    this.socket.terminate();
  }
}

function parsed(data: RawData): unknown {
  try {
    const text = Buffer.isBuffer(data) ? data : Buffer.from(data as ArrayBuffer);
    return parseJson(text.toString("utf8"));
  } catch {
    return null;
  }
}

function typeOf(said: unknown): string {
  const type = (said as { type?: unknown } | null)?.type;
  return typeof type === "string" ? type.slice(0, 60) : "without a type";
}
