/** Events, a part of the server's API: one stream that tells what happens in the cluster. */
import { z } from "zod";
import { serverEventSchema } from "../events/server.ts";
import type { Operations } from "./operation.ts";

export const eventOperations = {
  events: {
    method: "GET",
    path: "/api/v1/events",
    privilege: "admin",
    summary: "Events as they happen; Last-Event-ID (or ?after=) resumes",
    query: z.strictObject({ after: z.coerce.number().int().min(0).optional() }),
    answer: { status: 200, events: serverEventSchema },
    errors: [],
  },
} as const satisfies Operations;
