/** The server's API as an OpenAPI 3.1 document, derived from the operations. */
import { z } from "zod";
import { catalogue, type ErrorCode } from "../errors/catalogue.ts";
import { findingSchema, problemSchema } from "../errors/schemas.ts";
import type { Operation } from "../operations/operation.ts";
import { serverOperations } from "../operations/server.ts";
import { serverEventSchema } from "../events/server.ts";
import { hostFactsSchema } from "../schemas/host-facts.ts";
import { hostLoadSchema } from "../schemas/host-load.ts";
import { hostViewSchema } from "../schemas/host.ts";
import { taskStepSchema, taskWaitSchema } from "../schemas/task.ts";
import { taskSchema, taskSchemas } from "../tasks/registry.ts";
import { moveProgressSchema, moveRecordSchema } from "../schemas/move.ts";
import { baselineSchema } from "../schemas/pool.ts";
import { vmDescriptionSchema, vmSchema } from "../schemas/vm.ts";
import { vmViewSchema } from "../schemas/vm-view.ts";

/** Schemas that have a name of their own in the document: of what is answered, and of what is asked. */
const answered = {
  Problem: problemSchema,
  Finding: findingSchema,
  Task: taskSchema,
  ...Object.fromEntries(Object.entries(taskSchemas).map(([kind, schema]) => [taskName(kind), schema])),
  TaskStep: taskStepSchema,
  TaskWait: taskWaitSchema,
  Move: moveRecordSchema,
  MoveProgress: moveProgressSchema,
  Event: serverEventSchema,
  Vm: vmViewSchema,
  VmConfig: vmSchema,
  Host: hostViewSchema,
  HostFacts: hostFactsSchema,
  HostLoad: hostLoadSchema,
  Baseline: baselineSchema,
};
const asked = { VmDescription: vmDescriptionSchema };

type Json = Record<string, unknown>;
/** `VmMigrateTask` for `vm.migrate`. */
function taskName(kind: string): string {
  const words = kind.split(".").map((word) => word.slice(0, 1).toUpperCase() + word.slice(1));
  return `${words.join("")}Task`;
}

type Direction = "input" | "output";

const componentsPath = "#/components/schemas/";
const registryOf = (named: Record<string, z.ZodType>) => {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  return registry;
};
const registries = { input: registryOf(asked), output: registryOf(answered) };

const security: Record<Operation["privilege"], Json[]> = {
  public: [],
  admin: [{ adminToken: [] }],
  host: [{ hostCertificate: [] }],
  server: [{ hostCertificate: [] }],
};

export function openApiDocument(version: string): Json & { openapi: string } {
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
      schemas: { ...components(asked, "input"), ...components(answered, "output") },
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
            content: { "application/json": { schema: schemaOf(body, "input") } },
          },
        }),
    responses: {
      [String(answer.status)]: {
        description: answer.socket === true ? "WebSocket" : answer.events !== undefined ? "Events" : "Done",
        ...(answer.events !== undefined
          ? { content: { "text/event-stream": { schema: schemaOf(answer.events, "output") } } }
          : answer.body === undefined
            ? {}
            : { content: { "application/json": { schema: schemaOf(answer.body, "output") } } }),
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

/** A schema in which those with a name are references. */
function schemaOf(schema: z.ZodType, io: Direction): Json {
  const options = { io, unrepresentable: "any", metadata: registries[io] } as const;
  const { $schema: _, $defs: __, ...json } = z.toJSONSchema(schema, options) as Json;
  return JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', `"${componentsPath}`)) as Json;
}

/** The schemas with a name. */
function components(named: Record<string, z.ZodType>, io: Direction): Json {
  const options = { io, unrepresentable: "any", uri: (id: string) => componentsPath + id } as const;
  const { schemas } = z.toJSONSchema(registries[io], options);
  return Object.fromEntries(
    Object.keys(named).map((name) => {
      const { $schema: _, $id: __, ...json } = schemas[name] as Json;
      return [name, json];
    }),
  );
}

function problemsText(errors: readonly ErrorCode[]): string {
  const codes = errors.map((code) => `${code} (${String(catalogue[code].status)})`);
  return codes.length === 0 ? "A problem" : `A problem: ${codes.join(", ")}`;
}
