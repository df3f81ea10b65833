/** The version of the server: the one operation that anyone may call. */
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
} as const satisfies Operations;
