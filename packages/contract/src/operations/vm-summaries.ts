/** VMs as lists show them, a part of the server's API. */
import { z } from "zod";
import { tagFilterSchema } from "../schemas/annotations.ts";
import { vmSummarySchema } from "../schemas/vm-view.ts";
import { nextPageSchema, summaryPageQuery } from "../schemas/page.ts";
import type { Operations } from "./operation.ts";

export const vmSummaryOperations = {
  vmSummaryList: {
    method: "GET",
    path: "/api/v1/vm-summaries",
    privilege: "admin",
    summary: "What a list shows of each VM, by name, a page of them",
    query: summaryPageQuery.extend({ tags: tagFilterSchema.optional() }),
    answer: { status: 200, body: z.object({ vms: z.array(vmSummarySchema), next: nextPageSchema }) },
    errors: [],
  },
} as const satisfies Operations;
