/** Hosts as lists show them, a part of the server's API. */
import { z } from "zod";
import { hostSummarySchema } from "../schemas/host.ts";
import { nextPageSchema, summaryPageQuery } from "../schemas/page.ts";
import type { Operations } from "./operation.ts";

export const hostSummaryOperations = {
  hostSummaryList: {
    method: "GET",
    path: "/api/v1/host-summaries",
    privilege: "admin",
    summary: "What a list shows of each host, by name, a page of them",
    query: summaryPageQuery,
    answer: { status: 200, body: z.object({ hosts: z.array(hostSummarySchema), next: nextPageSchema }) },
    errors: [],
  },
} as const satisfies Operations;
