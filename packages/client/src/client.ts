/**
 * A typed client of the contract's operations. Three kinds of failure are kept apart: the other side
 * refused (its problem document), it was never reached (CONNECTION_FAILED), or the answer to something
 * that may have been done was lost (OUTCOME_UNKNOWN).
 */
import {
  eventHeadSchema,
  GodwitError,
  helloHeaders,
  helloOf,
  helloText,
  plainHello,
  problemSchema,
  versionsDiffer,
  type Answer,
  type Given,
  type EventHead,
  type EventOf,
  type Hello,
  type Operation,
  type Operations,
  parseJson,
} from "@godwit/contract";
import { EventSourceParserStream } from "eventsource-parser/stream";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import type { Dispatcher } from "undici";
import type { WebSocket } from "ws";
import { paced, refusalBytes, serverAnswers, textOf, type AnswerLimits } from "./bounded.ts";
import { Agent, send } from "./http.ts";

export interface ClientOptions {
  baseUrl: string;
  tls?: {
    /** PEM of the authority that signed the other side's certificate. */
    ca: string;
    /** Own certificate and key, PEM. */
    cert?: string;
    key?: string;
    /** The name that the other side's certificate must carry; default: the URL's host. */
    servername?: string;
    /** The organisational unit (role in the cluster) that it must carry too. */
    unit?: string;
  };
  token?: string;
  /** Of the head of an answer, and then of the rest of it. */
  timeoutMs?: number;
  /** What is read of the other side. Default: as of a server. */
  limits?: AnswerLimits;
  /** What this program tells of its version with every call; default: its protocol only. */
  hello?: Hello;
}

export interface StreamOptions {
  /** Events after this one; default: from now on. */
  after?: number | undefined;
  signal: AbortSignal;
  /** A connection stands; facts that were read before it may be old. What it throws refuses the connection. */
  onOpen?: () => void;
  /** An event that this version does not know, of a newer one: it is passed over. */
  onUnknown?: (event: EventHead) => void;
}

interface AnyCall {
  params?: Record<string, string | number>;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
}

/** Errors of a connection that was never established: nothing can have been done. */
const neverConnected = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
]);

const connectLimitMs = 4000;
/** The other side of a WebSocket pings every 5 s. */
const socketSilenceMs = 16_000;

/** Of a stream that is made again: the pause doubles until one has flowed for a while. */
const firstRetryMs = 50;
const longestRetryMs = 2000;
const provenMs = 2000;
/** A stream without even a heartbeat for this long is dead. */
const silenceMs = 6000;

export class Client<Ops extends Operations> {
  readonly baseUrl: string;
  readonly #operations: Ops;
  #options: ClientOptions;
  #agent: Agent;
  readonly #hello: Hello;
  readonly #limits: AnswerLimits;
  #peer: Hello | null = null;

  constructor(operations: Ops, options: ClientOptions) {
    this.#operations = operations;
    this.#options = options;
    this.#hello = options.hello ?? plainHello;
    this.#limits = options.limits ?? serverAnswers;
    this.baseUrl = options.baseUrl.replace(/\/$/, "");
    this.#agent = agentFor(options.tls);
  }

  /** Shows another certificate from now on; calls that are under way end over the connections that they have. */
  renew(tls: NonNullable<ClientOptions["tls"]>): void {
    const before = this.#agent;
    this.#options = { ...this.#options, tls };
    this.#agent = agentFor(tls);
    void before.close();
  }

  /** What the other side told of its version with its last answer; null: it has not answered yet. */
  get peer(): Hello | null {
    return this.#peer;
  }

  /**
   * Calls an operation.
   * @throws what the other side refused with; CONNECTION_FAILED; OUTCOME_UNKNOWN; ANSWER_NOT_UNDERSTOOD by another version
   */
  async call<K extends keyof Ops & string>(
    name: K,
    given: Given<Ops[K]>,
    options: { timeoutMs?: number } = {},
  ): Promise<Answer<Ops[K]>> {
    const operation = this.#operations[name] as Operation;
    const { statusCode, body } = await this.#send(operation, given as AnyCall, options);
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const maxBytes = statusCode >= 400 ? refusalBytes : this.#limits.answer;
    const text = await textOf(body, maxBytes, timeoutMs).catch((error: unknown) => {
      throw operation.method === "GET" ? this.#failed(reasonOf(error), error) : this.#lost(operation, error);
    });
    if (statusCode >= 400) throw this.#refused(statusCode, text);
    if (operation.answer.body === undefined) return undefined as Answer<Ops[K]>;
    const parsed = operation.answer.body.safeParse(jsonOrUndefined(text));
    if (parsed.success) return parsed.data as Answer<Ops[K]>;
    const unreadable = this.#notUnderstood(
      `its answer to ${operation.path} is not what this version expects`,
    );
    throw operation.method === "GET" ? unreadable : this.#lost(operation, unreadable);
  }

  /**
   * Opens an operation that is a WebSocket. What arrives before the caller listens is kept: the socket is paused.
   * @throws what the other side refused with; CONNECTION_FAILED
   */
  async open<K extends keyof Ops & string>(name: K, given: Given<Ops[K]>): Promise<WebSocket> {
    const url = this.#urlOf(this.#operations[name] as Operation, given as AnyCall);
    const { token } = this.#options;
    const options = {
      ...tlsOptions(this.#options.tls),
      headers: {
        ...helloHeaders(this.#hello),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      handshakeTimeout: connectLimitMs,
      perMessageDeflate: false,
      maxPayload: 1 << 20,
    };
    const { WebSocket } = await import("ws");
    // ws hands the TLS options on to Node; its types know only some of them.
    const socket = new WebSocket(url.href.replace(/^https/, "wss"), options);
    const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
    socket.on("unexpected-response", (_, response) => {
      textOf(response, refusalBytes, connectLimitMs).then(
        (text) => {
          reject(this.#refused(response.statusCode ?? 0, text));
        },
        (error: unknown) => {
          reject(this.#failed(reasonOf(error), error));
        },
      );
    });
    socket.on("error", (error) => {
      reject(this.#failed(reasonOf(error), error));
    });
    socket.on("open", () => {
      socket.pause();
      endWhenSilent(socket);
      resolve(socket);
    });
    return await promise;
  }

  /** Events after `after` (default: from now on) over one connection. Ends by throwing when the connection is lost. */
  async *events<K extends keyof Ops & string>(
    name: K,
    options: StreamOptions,
  ): AsyncGenerator<EventOf<Ops[K]>> {
    const operation = this.#operations[name] as Operation;
    const query = options.after === undefined ? {} : { after: options.after };
    const { statusCode, body } = await this.#send(operation, { query }, { signal: options.signal });
    if (statusCode >= 400) {
      const text = await textOf(body, refusalBytes, this.#timeoutMs).catch((error: unknown) => {
        throw this.#failed(reasonOf(error), error);
      });
      throw this.#refused(statusCode, text);
    }
    try {
      options.onOpen?.();
    } catch (error) {
      body.destroy();
      throw error;
    }
    const stream = ReadableStream.from(paced(body as AsyncIterable<Uint8Array>, this.#limits.eventsPerSecond))
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream({ maxBufferSize: this.#limits.event }));
    try {
      for await (const message of stream) {
        const json = jsonOrUndefined(message.data);
        const event = operation.answer.events?.safeParse(json);
        if (event?.success === true) {
          yield event.data as EventOf<Ops[K]>;
          continue;
        }
        const head = eventHeadSchema.safeParse(json);
        if (!head.success) throw new Error("it sent something that is not an event");
        options.onUnknown?.(head.data);
      }
    } catch (error) {
      if (options.signal.aborted) return;
      throw this.#failed(reasonOf(error), error);
    }
    if (!options.signal.aborted) throw this.#failed("it closed the event stream");
  }

  /** Events for as long as the signal lets: a lost connection is established again and resumes after the last event. */
  async *follow<K extends keyof Ops & string>(
    name: K,
    options: StreamOptions & { onLost?: (error: GodwitError) => void },
  ): AsyncGenerator<EventOf<Ops[K]>> {
    let { after } = options;
    let waitMs = firstRetryMs;
    const connection = { openedAtMs: Number.POSITIVE_INFINITY };
    const isOver = () => options.signal.aborted;
    const onOpen = () => {
      options.onOpen?.();
      connection.openedAtMs = performance.now();
    };
    const onUnknown = (event: EventHead) => {
      after = event.id;
      options.onUnknown?.(event);
    };
    while (!isOver()) {
      try {
        for await (const event of this.events(name, { signal: options.signal, after, onOpen, onUnknown })) {
          after = (event as EventHead).id;
          yield event;
        }
      } catch (error) {
        if (isOver()) return;
        if (!GodwitError.is(error)) throw error;
        options.onLost?.(error);
      }
      // A connection that ends as soon as it stands has shown nothing.
      if (performance.now() - connection.openedAtMs > provenMs) waitMs = firstRetryMs;
      connection.openedAtMs = Number.POSITIVE_INFINITY;
      // No event says when the other side is back. Many who lost it at once do not come back at once.
      await pause(waitMs * (0.5 + Math.random()), options.signal);
      waitMs = Math.min(waitMs * 2, longestRetryMs);
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(
    operation: Operation,
    given: AnyCall,
    { signal, timeoutMs = this.#timeoutMs }: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<Dispatcher.ResponseData> {
    const url = this.#urlOf(operation, given);
    const { token } = this.#options;
    try {
      const response = await send(this.#agent, url, {
        method: operation.method,
        headers: {
          ...helloHeaders(this.#hello),
          ...(given.body === undefined ? {} : { "content-type": "application/json" }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: given.body === undefined ? null : JSON.stringify(given.body),
        headersTimeout: timeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      this.#peer = helloOf(response.headers);
      return response;
    } catch (error) {
      const code = (error as { code?: string }).code ?? "";
      if (operation.method === "GET" || neverConnected.has(code)) throw this.#failed(reasonOf(error), error);
      throw this.#lost(operation, error);
    }
  }

  #urlOf(operation: Operation, given: AnyCall): URL {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, key: string) =>
      encodeURIComponent(String(given.params?.[key])),
    );
    const url = new URL(this.baseUrl + path);
    for (const [key, value] of Object.entries(given.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    return url;
  }

  #refused(status: number, text: string): GodwitError {
    const problem = problemSchema.safeParse(jsonOrUndefined(text));
    if (!problem.success)
      return this.#notUnderstood(`it answered with status ${String(status)}, not as Godwit does`);
    const refusal = GodwitError.fromProblem(problem.data);
    return refusal.code === "ROUTE_UNKNOWN" && this.#peerDiffers
      ? this.#notUnderstood("it does not have this operation", refusal)
      : refusal;
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 30_000;
  }

  get #peerDiffers(): boolean {
    return this.#peer !== null && versionsDiffer(this.#peer, this.#hello);
  }

  /** An answer that this version cannot read: told as a difference of versions where there is one. */
  #notUnderstood(reason: string, cause?: unknown): GodwitError {
    if (this.#peer === null || !this.#peerDiffers) return this.#failed(reason, cause);
    const versions = { version: helloText(this.#peer), ownVersion: helloText(this.#hello) };
    return GodwitError.of("ANSWER_NOT_UNDERSTOOD", { url: this.baseUrl, ...versions, reason }, { cause });
  }

  #failed(reason: string, cause?: unknown): GodwitError {
    return GodwitError.of("CONNECTION_FAILED", { url: this.baseUrl, reason }, { cause });
  }

  #lost(operation: Operation, cause: unknown): GodwitError {
    const details = { url: this.baseUrl, what: operation.summary.toLowerCase(), reason: reasonOf(cause) };
    return GodwitError.of("OUTCOME_UNKNOWN", details, { cause });
  }
}

/** No answer of the contract is undefined: what is not JSON fits no schema. */
function jsonOrUndefined(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}

const agentFor = (tls: ClientOptions["tls"]): Agent =>
  new Agent({
    connections: 16,
    keepAliveTimeout: 60_000,
    connect: { ...tlsOptions(tls), timeout: connectLimitMs, noDelay: true },
    bodyTimeout: silenceMs,
  });

/** The other side pings; without a ping for long the connection is dead. */
function endWhenSilent(socket: WebSocket): void {
  const arm = () =>
    setTimeout(() => {
      if (socket.isPaused) timer = arm();
      else socket.terminate();
    }, socketSilenceMs);
  let timer = arm();
  socket.on("ping", () => {
    clearTimeout(timer);
    timer = arm();
  });
  socket.on("close", () => {
    clearTimeout(timer);
  });
}

function tlsOptions(tls: ClientOptions["tls"]): ConnectionOptions {
  if (tls === undefined) return {};
  const { unit, ...options } = tls;
  if (unit === undefined) return options;
  return {
    ...options,
    checkServerIdentity: (host, certificate) => {
      const found = String(certificate.subject.OU);
      if (found !== unit) return new Error(`its certificate is for the role ${found}, not ${unit}`);
      return checkServerIdentity(host, certificate);
    },
  };
}

const plainReasons: Record<string, string> = {
  CERT_HAS_EXPIRED: "its certificate has ended",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: the clock of one of the two machines is wrong",
  ECONNREFUSED: "nothing listens there",
  EHOSTUNREACH: "there is no route to that address",
  ENOTFOUND: "the name is unknown",
  UND_ERR_CONNECT_TIMEOUT: "it did not answer",
  UND_ERR_HEADERS_TIMEOUT: "it did not answer in time",
  UND_ERR_BODY_TIMEOUT: "it stopped sending",
  UND_ERR_SOCKET: "the connection was closed",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it asks for a certificate of its cluster",
  ECONNRESET: "the connection was closed",
};

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return plainReasons[code ?? ""] ?? message ?? String(error);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = () => {
    resolve(undefined);
  };
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", done, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", done);
}
