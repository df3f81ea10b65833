/** The cluster's certificate authority, a part of the server's API: what it is, and putting a new one in its place. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { authorityViewSchema } from "../schemas/authority.ts";
import type { Operations } from "./operation.ts";

export const authorityOperations = {
  authorityShow: {
    method: "GET",
    path: "/api/v1/authority",
    privilege: "admin",
    summary: "The cluster's certificate authority, and how far hosts are when a new one takes its place",
    answer: { status: 200, body: authorityViewSchema },
    errors: [],
  },
  authorityRotate: {
    method: "POST",
    path: "/api/v1/authority/rotate",
    privilege: "admin",
    summary:
      "Begin to put a new certificate authority in the place of the old one, or take the next step; a step is refused while a host is not ready for it",
    /** `without`: hosts that are not waited for, and join again later. */
    body: z.strictObject({ without: z.array(nameSchema).max(10_000).default([]) }),
    answer: { status: 200, body: authorityViewSchema },
    errors: ["AUTHORITY_HOSTS_BEHIND"],
  },
} as const satisfies Operations;
