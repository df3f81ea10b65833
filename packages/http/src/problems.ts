/** Errors of every kind as `application/problem+json`; nothing internal is disclosed. */
import { randomUUID } from "node:crypto";
import { GodwitError, problemOfUnexpected, type Problem } from "@godwit/contract";
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { hasBody, type Callers } from "./callers.ts";

export function answerErrors(app: FastifyInstance, callers: Callers): void {
  app.setErrorHandler(async (error: unknown, request, reply) => {
    const told = GodwitError.is(error, "TOKEN_INVALID") ? await callers.refusal(request, error) : error;
    await sendProblem(request, reply, problemOf(told, request));
  });
  app.setNotFoundHandler(async (request, reply) => {
    await sendProblem(request, reply, routeUnknown(request).problem);
  });
}

export function routeUnknown({ method, url }: FastifyRequest): GodwitError {
  return GodwitError.of("ROUTE_UNKNOWN", { method, path: url.split("?")[0] ?? "" });
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
    return GodwitError.of("REQUEST_INVALID", { where: "request", problems: [message ?? "not readable"] })
      .problem;
  }
  const reference = randomUUID();
  request.log.error({ err: error, reference }, "internal error");
  return problemOfUnexpected(error, reference);
}

async function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): Promise<void> {
  if (reply.sent) return;
  const { retryAfterSeconds } = problem.details;
  if (problem.status === 429) reply.header("retry-after", String(retryAfterSeconds));
  // What is not read of the body is not waited for either.
  if (hasBody(request) && !request.raw.complete) reply.header("connection", "close");
  await reply
    .code(problem.status)
    .header("content-type", "application/problem+json")
    .send(JSON.stringify(problem));
}
