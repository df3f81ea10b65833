/** Errors and findings as they are checked where they arrive from another process. */
import { z } from "zod";
import type { Finding, Problem } from "./error.ts";

export const findingSchema = z.object({
  code: z.string(),
  severity: z.enum(["error", "warning"]),
  object: z.string().optional(),
  host: z.string().optional(),
  vm: z.string().optional(),
  message: z.string(),
  remedy: z.string(),
  details: z.record(z.string(), z.unknown()),
  vsphereFault: z.string().optional(),
}) satisfies z.ZodType<Finding>;

export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  remedy: z.string(),
  retry: z.enum(["never", "later", "after-fix"]),
  details: z.record(z.string(), z.unknown()),
  vsphereFault: z.string().optional(),
  findings: z.array(findingSchema).optional(),
}) satisfies z.ZodType<Problem>;
