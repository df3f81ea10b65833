/**
 * A typed client of the contract's operations. Three kinds of failure are kept apart: the other side
 * refused (its problem document), it was never reached (CONNECTION_FAILED), or the answer to something
 * that may have been done was lost (OUTCOME_UNKNOWN).
 */
import type { IncomingMessage } from "node:http";
import {
  helloHeaders,
  helloOf,
  plainHello,
  type Answer,
  type EventHead,
  type EventOf,
  type Given,
  type Hello,
  type Operation,
  type Operations,
} from "@godwit/contract/calling";
import { GodwitError } from "@godwit/contract/errors";
import type { WebSocket } from "ws";
import { refusalBytes, serverAnswers, textOf, type AnswerLimits } from "./bounded.ts";
import { eventOf, followed, jsonOrUndefined, messagesOf } from "./event-stream.ts";
import { Failures } from "./failures.ts";
import { reasonOf } from "./reasons.ts";
import { openSocket } from "./socket.ts";
import type { ClientTls } from "./tls.ts";
import { Transport } from "./transport.ts";

export interface ClientOptions {
  baseUrl: string;
  tls?: ClientTls;
  token?: string;
  /** Of the head of an answer, and then of the rest of it. */
  timeoutMs?: number;
  /** What is read of the other side. Default: as of a server. */
  limits?: AnswerLimits;
  /** What this program tells of its version with every call; default: its protocol only. */
  hello?: Hello;
  /** Further headers of every call, as they are at its time. */
  headers?: () => Record<string, string>;
  /** A new connection stands, and nothing was sent over it yet. */
  onConnect?: () => void;
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

export type OperationLoader<Ops extends Operations> = (name: keyof Ops & string) => Promise<Operation>;

interface AnyCall {
  params?: Record<string, string | number>;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
}

const handshakeLimitMs = 4000;

export class Client<Ops extends Operations> {
  readonly baseUrl: string;
  readonly #operations: Ops | OperationLoader<Ops>;
  #options: ClientOptions;
  #transport: Transport;
  readonly #hello: Hello;
  readonly #limits: AnswerLimits;
  readonly #failures: Failures;

  /** @param operations all of them, or what loads one when it is called first */
  constructor(operations: Ops | OperationLoader<Ops>, options: ClientOptions) {
    this.#operations = operations;
    this.#options = options;
    this.#hello = options.hello ?? plainHello;
    this.#limits = options.limits ?? serverAnswers;
    this.baseUrl = options.baseUrl.replace(/\/$/, "");
    this.#failures = new Failures(this.baseUrl, this.#hello);
    this.#transport = new Transport(options.tls, options.onConnect);
  }

  /** Shows another certificate from now on; calls that are under way end over the connections that they have. */
  renew(tls: ClientTls): void {
    const before = this.#transport;
    this.#options = { ...this.#options, tls };
    this.#transport = new Transport(tls, this.#options.onConnect);
    before.retire();
  }

  /** What the other side told of its version with its last answer; null: it has not answered yet. */
  get peer(): Hello | null {
    return this.#failures.peer;
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
    const operation = await this.#operation(name);
    const response = await this.#send(operation, given as AnyCall, options);
    const { statusCode = 0 } = response;
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const maxBytes = statusCode >= 400 ? refusalBytes : this.#limits.answer;
    const text = await textOf(response, maxBytes, timeoutMs).catch((error: unknown) => {
      throw operation.method === "GET"
        ? this.#failures.failed(reasonOf(error), error)
        : this.#failures.lost(operation, error);
    });
    if (statusCode >= 400) throw this.#failures.refused(statusCode, text);
    if (operation.answer.body === undefined) return undefined as Answer<Ops[K]>;
    const parsed = operation.answer.body.safeParse(jsonOrUndefined(text));
    if (parsed.success) return parsed.data as Answer<Ops[K]>;
    const unreadable = this.#failures.notUnderstood(
      `its answer to ${operation.path} is not what this version expects`,
    );
    throw operation.method === "GET" ? unreadable : this.#failures.lost(operation, unreadable);
  }

  /**
   * Opens an operation that is a WebSocket. What arrives before the caller listens is kept: the socket is paused.
   * @throws what the other side refused with; CONNECTION_FAILED
   */
  async open<K extends keyof Ops & string>(name: K, given: Given<Ops[K]>): Promise<WebSocket> {
    const url = this.#urlOf(await this.#operation(name), given as AnyCall);
    const refused = async (response: IncomingMessage) =>
      this.#failures.refused(
        response.statusCode ?? 0,
        await textOf(response, refusalBytes, handshakeLimitMs),
      );
    return await openSocket(url, this.#options.tls, this.#headers(), refused).catch((error: unknown) => {
      throw GodwitError.is(error) ? error : this.#failures.failed(reasonOf(error), error);
    });
  }

  /** Events after `after` (default: from now on) over one connection. Ends by throwing when the connection is lost. */
  async *events<K extends keyof Ops & string>(
    name: K,
    options: StreamOptions,
  ): AsyncGenerator<EventOf<Ops[K]>> {
    const operation = await this.#operation(name);
    const query = options.after === undefined ? {} : { after: options.after };
    const response = await this.#send(operation, { query }, { signal: options.signal });
    const { statusCode = 0 } = response;
    if (statusCode >= 400) {
      const text = await textOf(response, refusalBytes, this.#timeoutMs).catch((error: unknown) => {
        throw this.#failures.failed(reasonOf(error), error);
      });
      throw this.#failures.refused(statusCode, text);
    }
    try {
      options.onOpen?.();
    } catch (error) {
      response.destroy();
      throw error;
    }
    try {
      for await (const json of messagesOf(response, this.#limits)) {
        const known = eventOf(json, operation.answer.events, options.onUnknown);
        if (known !== null) yield known.event as EventOf<Ops[K]>;
      }
    } catch (error) {
      if (options.signal.aborted) return;
      throw this.#failures.failed(reasonOf(error), error);
    } finally {
      response.destroy();
    }
    if (!options.signal.aborted) throw this.#failures.failed("it closed the event stream");
  }

  /** Events for as long as the signal lets: a lost connection is established again and resumes after the last event. */
  follow<K extends keyof Ops & string>(
    name: K,
    options: StreamOptions & { onLost?: (error: GodwitError) => void },
  ): AsyncGenerator<EventOf<Ops[K]>> {
    return followed((stream) => this.events(name, stream), options);
  }

  close(): Promise<void> {
    this.#transport.close();
    return Promise.resolve();
  }

  async #operation(name: keyof Ops & string): Promise<Operation> {
    const operations = this.#operations;
    return typeof operations === "function" ? await operations(name) : (operations[name] as Operation);
  }

  async #send(
    operation: Operation,
    given: AnyCall,
    { signal, timeoutMs = this.#timeoutMs }: { signal?: AbortSignal; timeoutMs?: number },
  ): Promise<IncomingMessage> {
    const { body } = given;
    const headers = this.#headers();
    if (body !== undefined) headers["content-type"] = "application/json";
    try {
      const response = await this.#transport.send(this.#urlOf(operation, given), {
        ...{ method: operation.method, headers, timeoutMs, signal },
        body: body === undefined ? null : JSON.stringify(body),
      });
      this.#failures.peer = helloOf(response.headers);
      return response;
    } catch (error) {
      throw this.#failures.unanswered(operation, error);
    }
  }

  #headers(): Record<string, string> {
    const { token } = this.#options;
    return {
      ...helloHeaders(this.#hello),
      ...this.#options.headers?.(),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
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

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 30_000;
  }
}
