/**
 * Operations of the contract as routes: who may call, validation of what comes in and goes out, errors as
 * problem documents. A handler sees only what is valid, and an answer that breaks the contract is a bug.
 */
import {
  GodwitError,
  helloOf,
  isComparable,
  type Answer,
  type EventHead,
  type EventOf,
  type Hello,
  type Operation,
  type Operations,
  type Received,
} from "@godwit/contract";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";
import type { z } from "zod";
import { streamEvents } from "./event-stream.ts";
import { bodyBytes } from "./limits.ts";
import type { Actor, Authority } from "./privileges.ts";
import type { HttpServer } from "./server.ts";

export type Call<O extends Operation> = Received<O> & {
  actor: Actor;
  /** What the caller tells of its version. */
  hello: Hello;
  /** Aborted when the caller has gone. */
  signal: AbortSignal;
};

type MaybePromise<T> = T | Promise<T>;

/** Takes over the connection of a caller who was let in. */
export type SocketHandler = (socket: WebSocket) => void;

/**
 * What answers an operation. A stream operation answers with its events; the caller gets
 * the response's head then, so the position where the events start must be fixed by then.
 */
export type Handler<O extends Operation> = (
  call: Call<O>,
) => MaybePromise<
  O["answer"] extends { socket: true }
    ? SocketHandler
    : O["answer"] extends { events: unknown }
      ? AsyncIterable<EventOf<O>>
      : Answer<O>
>;

export type Handlers<Ops extends Operations> = { [K in keyof Ops]: Handler<Ops[K]> };

export function mount<Ops extends Operations>(
  { app, callers }: HttpServer,
  operations: Ops,
  handlers: Handlers<Ops>,
  authority: Authority,
): void {
  for (const [name, operation] of Object.entries(operations)) {
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      bodyLimit: bodyBytes[operation.privilege],
      onRequest: async (request, reply) => {
        await callers.admit(request, reply, operation, authority);
      },
      handler: async (request, reply) => {
        const handler = handlers[name] as unknown as (call: Call<Operation>) => unknown;
        await serve(operation, handler, callers.actorOf(request), request, reply);
        return reply;
      },
    });
  }
}

async function serve(
  operation: Operation,
  handler: (call: Call<Operation>) => unknown,
  actor: Actor,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (operation.answer.socket === true) throw GodwitError.of("WEBSOCKET_REQUIRED", { path: request.url });
  const gone = new AbortController();
  reply.raw.once("close", () => {
    gone.abort();
  });
  const call = {
    params: validated(operation.params, request.params, "path"),
    query: validated(operation.query, withLastEventId(operation, request), "query"),
    body: validated(operation.body, request.body, "body"),
    actor,
    hello: helloOf(request.headers),
    signal: gone.signal,
  };
  if (operation.answer.events !== undefined) {
    const events = (await handler(call as Call<Operation>)) as AsyncIterable<EventHead>;
    await streamEvents(reply, events, gone.signal);
    return;
  }
  const answer = await handler(call as Call<Operation>);
  const { status, body } = operation.answer;
  if (body === undefined) await reply.code(status).send();
  else await reply.code(status).send(body.parse(answer));
}

/** The standard header of a stream that resumes counts as the query's `after`. */
function withLastEventId(operation: Operation, request: FastifyRequest): unknown {
  const last = request.headers["last-event-id"];
  if (operation.answer.events === undefined || typeof last !== "string") return request.query;
  return { ...(request.query as object), after: last };
}

/** @throws REQUEST_INVALID */
export function validated(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  if (!isComparable(value)) {
    throw GodwitError.of("REQUEST_INVALID", { where, problems: ["a field length is an object"] });
  }
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw GodwitError.of("REQUEST_INVALID", { where, problems: parsed.error.issues.map(problemText) });
}

function problemText(issue: z.core.$ZodIssue): string {
  const place = issue.path.map(String).join(".");
  return place === "" ? issue.message : `${place}: ${issue.message}`;
}
