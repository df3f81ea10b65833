/** The server's API as an OpenAPI 3.1 document, derived from the operations. */
import { z } from "zod";
import { catalogue, type ErrorCode } from "../errors/catalogue.ts";
import { problemSchema } from "../errors/error.ts";
import type { Operation } from "../operations/operation.ts";
import { serverOperations } from "../operations/server.ts";
import { eventSchema, taskSchema } from "../schemas/task.ts";
import { vmDescriptionSchema, vmViewSchema } from "../schemas/vm.ts";
import { hostViewSchema } from "../schemas/host.ts";

/** Schemas that have a name of their own in the document. */
const named = {
  Problem: problemSchema,
  Task: taskSchema,
  Event: eventSchema,
  VmDescription: vmDescriptionSchema,
  Vm: vmViewSchema,
  Host: hostViewSchema,
} as const;

type Json = Record<string, unknown>;

const security: Record<Operation["privilege"], Json[]> = {
  public: [],
  admin: [{ adminToken: [] }],
  host: [{ hostCertificate: [] }],
  server: [{ hostCertificate: [] }],
};

export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [operationId, operation] of Object.entries(serverOperations)) {
    const path = (paths[operation.path] ??= {});
    path[operation.method.toLowerCase()] = describe(operationId, operation);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Godwit", version, license: { name: "Apache-2.0", identifier: "Apache-2.0" } },
    paths,
    components: {
      schemas: Object.fromEntries(
        Object.entries(named).map(([name, schema]) => [name, schemaOf(schema, "output")]),
      ),
      securitySchemes: {
        adminToken: { type: "http", scheme: "bearer" },
        hostCertificate: { type: "mutualTLS" },
      },
    },
  };
}

function describe(operationId: string, operation: Operation): Json {
  const { params, query, body, answer } = operation;
  return {
    operationId,
    summary: operation.summary,
    security: security[operation.privilege],
    ...(params === undefined && query === undefined
      ? {}
      : { parameters: [...parameters(params, "path"), ...parameters(query, "query")] }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { "application/json": { schema: reference(body, "input") } },
          },
        }),
    responses: {
      [String(answer.status)]: {
        description: answer.socket === true ? "WebSocket" : answer.stream === true ? "Events" : "Done",
        ...(answer.stream === true
          ? { content: { "text/event-stream": { schema: { $ref: "#/components/schemas/Event" } } } }
          : answer.body === undefined
            ? {}
            : { content: { "application/json": { schema: reference(answer.body, "output") } } }),
      },
      default: {
        description: problemsText(operation.errors),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

function parameters(schema: z.ZodObject | undefined, place: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape).map(([name, type]) => ({
    name,
    in: place,
    required: place === "path",
    schema: schemaOf(type as z.ZodType, "input"),
  }));
}

function reference(schema: z.ZodType, io: "input" | "output"): Json {
  const name = Object.entries(named).find(([, candidate]) => (candidate as z.ZodType) === schema)?.[0];
  return name === undefined ? schemaOf(schema, io) : { $ref: `#/components/schemas/${name}` };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return json;
}

function problemsText(errors: readonly ErrorCode[]): string {
  const codes = errors.map((code) => `${code} (${String(catalogue[code].status)})`);
  return codes.length === 0 ? "A problem" : `A problem: ${codes.join(", ")}`;
}
