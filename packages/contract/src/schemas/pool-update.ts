/** A rolling update of a pool: what is asked for, and how far each host is. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { commandTextSchema } from "./host-command.ts";
import { maxOutageSchema } from "./move.ts";
import { nameSchema } from "./names.ts";

export const poolUpdateOrderSchema = z
  .strictObject({
    command: commandTextSchema.optional(),
    /** Whether each host is booted again after the command. */
    reboot: z.boolean().optional(),
    /** In this order; default: all hosts of the pool, those with the least to move first. */
    hosts: z.array(nameSchema).min(1).max(1000).optional(),
    /** How long the command may take on one host. */
    timeoutSeconds: z.int().min(1).max(86_400).optional(),
    /** Moves at one time. */
    concurrency: z.int().min(1).max(64).optional(),
    maxOutageMs: maxOutageSchema.optional(),
  })
  .refine(({ command, reboot }) => command !== undefined || reboot === true, "needs a command, or reboot");
export type PoolUpdateOrder = z.infer<typeof poolUpdateOrderSchema>;

/** In this order; any of them may end in `stopped`. */
export const updatePhases = [
  "waiting",
  "waking",
  "emptying",
  "running",
  "rebooting",
  "checking",
  "returning",
  "done",
] as const;
export const hostUpdateSchema = z.object({
  host: nameSchema,
  phase: z.enum([...updatePhases, "stopped"]),
  startedAt: z.iso.datetime().nullable(),
  /** When its phase began. Absent: it waits. */
  phaseAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().nullable(),
  /** It was in maintenance before, and stays so. */
  wasInMaintenance: z.boolean(),
  /** What worked there before: it is to work afterwards. */
  worked: z.array(z.string()).max(2000),
  /** Of before the reboot. */
  bootId: z.string().nullable(),
  exitCode: z.int().nullable(),
  /** The end of what the command wrote. */
  output: z.string().nullable(),
  /** Why it was stopped, as a part of a sentence; of one that is done what else is to be known. */
  detail: z.string().nullable(),
});
export type HostUpdate = z.infer<typeof hostUpdateSchema>;

/** What an update would do, in its order. */
export const poolUpdatePlanSchema = z.object({
  pool: nameSchema,
  allowed: z.boolean(),
  hosts: z.array(
    z.object({
      host: nameSchema,
      /** That run there now and would move away. */
      vms: z.array(nameSchema),
      /** Of their memory what would be sent at least. */
      bytes: z.number().min(0),
      /** For that, at the speed of its migration link; null: that is not known. */
      seconds: z.number().min(0).nullable(),
      findings: z.array(findingSchema),
    }),
  ),
});
export type PoolUpdatePlan = z.infer<typeof poolUpdatePlanSchema>;
