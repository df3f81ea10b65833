/**
 * Who calls is known before anything of a request but its head is read, and how much each caller may ask for is
 * limited: unknown callers by their address, known ones by their name. A refused caller's body is not read.
 */
import rateLimit from "@fastify/rate-limit";
import { GodwitError, type Operation } from "@godwit/contract";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Connections } from "./connections.ts";
import { Counts } from "./connections.ts";
import { limits, refusalsPerWindow, requestsPerWindow, unknownBodies, windowMs } from "./limits.ts";
import { authorise, identify, type Actor, type Authority } from "./privileges.ts";
import { WindowStore } from "./window-store.ts";

type Limiter = ReturnType<FastifyInstance["createRateLimit"]>;

export class Callers {
  readonly #connections: Connections;
  readonly #actors = new WeakMap<FastifyRequest, Actor>();
  readonly #bodies = new Counts();
  #bodiesRead = 0;
  #requests: Limiter | undefined;
  #refusals: Limiter | undefined;

  constructor(app: FastifyInstance, connections: Connections) {
    this.#connections = connections;
    app.register(rateLimit, { global: false });
    app.after(() => {
      const common = { store: WindowStore, timeWindow: windowMs };
      this.#requests = app.createRateLimit({
        ...common,
        keyGenerator: (request) => this.#keyOf(request),
        max: (request) => requestsPerWindow[this.actorOf(request).kind],
      });
      this.#refusals = app.createRateLimit({ ...common, max: refusalsPerWindow });
    });
  }

  actorOf(request: FastifyRequest): Actor {
    return this.#actors.get(request) ?? { kind: "anonymous" };
  }

  /**
   * Lets a request in, of which only the head is read.
   * @throws UNAUTHENTICATED, CERTIFICATE_INVALID, FORBIDDEN, RATE_LIMITED
   */
  async admit(
    request: FastifyRequest,
    reply: FastifyReply,
    operation: Operation,
    authority: Authority,
  ): Promise<void> {
    try {
      const actor = await identify(request.raw, authority);
      this.#actors.set(request, actor);
      if (actor.kind === "anonymous") await this.#check(request, this.#refusals, { increment: false });
      else this.#connections.known(request.raw.socket);
      await this.#check(request, this.#requests, {});
      await authorise(actor, operation, request.raw, authority);
      if (actor.kind === "anonymous" && hasBody(request)) this.#limitBody(request, reply);
    } catch (error) {
      throw await this.refusal(request, error);
    }
  }

  /** Counts an error that refuses an unknown caller for who it is. @returns it or, after too many, RATE_LIMITED */
  async refusal(request: FastifyRequest, error: unknown): Promise<unknown> {
    if (this.actorOf(request).kind !== "anonymous" || GodwitError.is(error, "RATE_LIMITED")) return error;
    return await this.#check(request, this.#refusals, {}).then(
      () => error,
      (limited: unknown) => limited,
    );
  }

  async #check(
    request: FastifyRequest,
    limiter: Limiter | undefined,
    options: { increment?: boolean },
  ): Promise<void> {
    const found = await limiter?.(request, options);
    if (found === undefined || found.isAllowed || !found.isExceeded) return;
    throw GodwitError.of("RATE_LIMITED", { retryAfterSeconds: Math.max(1, found.ttlInSeconds) });
  }

  #keyOf(request: FastifyRequest): string {
    const actor = this.actorOf(request);
    if (actor.kind === "anonymous") return `address ${request.ip}`;
    return actor.kind === "admin" ? "admin" : `${actor.kind} ${actor.name}`;
  }

  /** Few bodies at a time, each for a short time. @throws RATE_LIMITED */
  #limitBody(request: FastifyRequest, { raw }: FastifyReply): void {
    const { ip } = request;
    if (this.#bodiesRead >= unknownBodies.all || this.#bodies.of(ip) >= unknownBodies.byAddress)
      throw GodwitError.of("RATE_LIMITED", { retryAfterSeconds: 1 });
    this.#bodiesRead += 1;
    this.#bodies.add(ip);
    const tooSlow = setTimeout(() => request.raw.socket.destroy(), limits.unknownBodyMs);
    const read = () => {
      clearTimeout(tooSlow);
    };
    request.raw.once("end", read);
    raw.once("close", () => {
      read();
      this.#bodiesRead -= 1;
      this.#bodies.remove(ip);
    });
  }
}

export function hasBody({ headers }: FastifyRequest): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}
