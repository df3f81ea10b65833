/**
 * An operation is plain data. Routes, typed client, access control and OpenAPI derive from it;
 * nothing about an operation is written twice.
 */
import type { z } from "zod";
import type { ErrorCode } from "../errors/catalogue.ts";

/**
 * Who may call: anyone; the holder of the admin token; a host with its certificate (for itself only);
 * the server with its certificate.
 */
export type Privilege = "public" | "admin" | "host" | "server";

export interface Operation {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With `{parameters}`. */
  path: string;
  privilege: Privilege;
  summary: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /**
   * The success answer; `events` is a `text/event-stream` of them. With `socket` the connection becomes a
   * WebSocket: what can be refused is refused before, as a problem.
   */
  answer: { status: 101 | 200 | 201 | 202 | 204; body?: z.ZodType; events?: z.ZodType; socket?: boolean };
  errors: readonly ErrorCode[];
}

export type Operations = Record<string, Operation>;

type Out<T> = T extends z.ZodType ? z.output<T> : undefined;
type In<T> = T extends z.ZodType ? z.input<T> : undefined;

/** What a handler of the operation receives, already validated. */
export interface Received<O extends Operation> {
  params: Out<O["params"]>;
  query: Out<O["query"]>;
  body: Out<O["body"]>;
}
/** What a caller of the operation gives; parts that the operation does not have are left out. */
export type Given<O extends Operation> = (O["params"] extends z.ZodObject
  ? { params: In<O["params"]> }
  : unknown) &
  (O["query"] extends z.ZodObject ? { query?: In<O["query"]> } : unknown) &
  (O["body"] extends z.ZodType ? { body: In<O["body"]> } : unknown);
export type Answer<O extends Operation> = O["answer"] extends { body: infer B extends z.ZodType }
  ? z.output<B>
  : undefined;
/** What a stream operation's events are. */
export type EventOf<O extends Operation> = O["answer"] extends { events: infer E extends z.ZodType }
  ? z.output<E>
  : never;
