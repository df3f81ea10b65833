/**
 * Operations of the contract as routes: who may call, validation of what comes in and goes out, errors as
 * problem documents. A handler sees only what is valid, and an answer that breaks the contract is a bug.
 */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  helloOf,
  type Answer,
  type EventHead,
  type EventOf,
  type Hello,
  type Operation,
  type Operations,
  type Problem,
  type Received,
} from "@godwit/contract";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";
import type { z } from "zod";
import { authorise, identify, type Actor, type Authority } from "./privileges.ts";
import { streamEvents } from "./event-stream.ts";

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
  app: FastifyInstance,
  operations: Ops,
  handlers: Handlers<Ops>,
  authority: Authority,
): void {
  for (const [name, operation] of Object.entries(operations)) {
    app.route({
      method: operation.method,
      url: operation.path.replaceAll(/\{(\w+)\}/g, ":$1"),
      handler: async (request, reply) => {
        const handler = handlers[name] as unknown as (call: Call<Operation>) => unknown;
        await serve(operation, handler, authority, request, reply);
        return reply;
      },
    });
  }
}

/** Errors of every kind as `application/problem+json`; nothing internal is disclosed. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler(async (error: unknown, request, reply) => {
    await sendProblem(reply, problemOf(error, request));
  });
  app.setNotFoundHandler(async (request, reply) => {
    const error = GodwitError.of("ROUTE_UNKNOWN", {
      method: request.method,
      path: request.url.split("?")[0] ?? "",
    });
    await sendProblem(reply, error.problem);
  });
}

async function serve(
  operation: Operation,
  handler: (call: Call<Operation>) => unknown,
  authority: Authority,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const actor = await identify(request.raw, authority);
  authorise(actor, operation.privilege);
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
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw GodwitError.of("REQUEST_INVALID", { where, problems: parsed.error.issues.map(problemText) });
}

function problemText(issue: z.core.$ZodIssue): string {
  const place = issue.path.map(String).join(".");
  return place === "" ? issue.message : `${place}: ${issue.message}`;
}

/** An error as the caller sees it; of a bug the caller sees only a reference to the log. */
export function problemOf(error: unknown, request: { log: FastifyBaseLogger }): Problem {
  if (GodwitError.is(error)) {
    if (error.problem.status >= 500) request.log.warn({ err: error }, "request failed");
    return error.problem;
  }
  // Fastify's own refusals of bodies: not JSON, too large, of another type.
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    if (statusCode === 429) return GodwitError.of("RATE_LIMITED", { retryAfterSeconds: 1 }).problem;
    return GodwitError.of("REQUEST_INVALID", { where: "request", problems: [message ?? "not readable"] })
      .problem;
  }
  const reference = randomUUID();
  request.log.error({ err: error, reference }, "internal error");
  return GodwitError.of("INTERNAL", { reference }).problem;
}

async function sendProblem(reply: FastifyReply, problem: Problem): Promise<void> {
  if (reply.sent) return;
  await reply
    .code(problem.status)
    .header("content-type", "application/problem+json")
    .send(JSON.stringify(problem));
}
