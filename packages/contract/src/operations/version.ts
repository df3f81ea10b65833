/** The version of the server and the description of its API: what anyone may ask. */
import { z } from "zod";
import type { Operations } from "./operation.ts";

export const versionOperations = {
  version: {
    method: "GET",
    path: "/api/v1/version",
    privilege: "public",
    summary: "The server's version",
    answer: { status: 200, body: z.object({ name: z.literal("godwit"), version: z.string() }) },
    errors: [],
  },
  apiDocument: {
    method: "GET",
    path: "/api/v1/openapi.json",
    privilege: "public",
    summary: "This API as an OpenAPI 3.1 document",
    answer: { status: 200, body: z.looseObject({ openapi: z.string() }) },
    errors: [],
  },
} as const satisfies Operations;
