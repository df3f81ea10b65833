/** Emptying a host for its maintenance: what becomes of VMs that cannot move, and the plan before it starts. */
import { z } from "zod";
import { findingSchema } from "../errors/schemas.ts";
import { moveForecastSchema } from "./objective.ts";
import { maxOutageSchema } from "./move.ts";
import { nameSchema } from "./names.ts";

/**
 * What becomes of a running VM that no host may have. `wait`: until it can move or has stopped. `shut-down`: the guest is shut down once all
 * other VMs are away, and started again at the end of the maintenance. `suspend`: the same, to disk, and it goes on. `leave`: it runs on here.
 */
export const cannotMoveSchema = z.enum(["wait", "shut-down", "suspend", "leave"]);
export type CannotMove = z.infer<typeof cannotMoveSchema>;

/** What is asked of an emptying, by the API and for its plan. */
export const maintenanceBodySchema = z.strictObject({
  /** How many VMs move away at once; to each destination one at a time. */
  concurrency: z.int().min(1).max(16).default(2),
  /** Of each move. Default: 50 ms; 250 ms for an emulated guest. */
  maxOutageMs: maxOutageSchema.optional(),
  /** For all VMs that cannot move. Absent: the maintenance is refused where there is one. */
  cannotMove: cannotMoveSchema.optional(),
  /** For single VMs of the host, by name or id. */
  vms: z
    .array(z.strictObject({ vm: z.string().min(1).max(63), cannotMove: cannotMoveSchema }))
    .max(1000)
    .optional(),
  /** How long the guest of a VM that is shut down has for it, before it is powered off. */
  graceSeconds: z.int().min(0).max(3600).default(300),
  /** After this time no more moves start, and the host takes VMs again. */
  deadlineSeconds: z.int().min(1).max(604_800).optional(),
});
export type MaintenanceBody = z.infer<typeof maintenanceBodySchema>;

const spreadMsSchema = moveForecastSchema.shape.totalMs;

export const plannedVmSchema = z.object({
  vm: nameSchema,
  /**
   * `move` live; `relocate`: it is stopped and is assigned to another host; `stay`: it is stopped and no host may have it; `busy`: it has
   * a task of its own, which is waited for; `refuse`: it cannot
   * move, and nothing was chosen for it; otherwise what was chosen for it.
   */
  action: z.enum(["move", "relocate", "stay", "busy", "refuse", "wait", "shut-down", "suspend", "leave"]),
  /** The host where it goes. */
  to: nameSchema.nullable(),
  /** Of a live move; null: it is none, or its memory could not be measured. */
  forecast: z.object({ totalMs: spreadMsSchema, pauseMs: spreadMsSchema }).nullable(),
  /** Why no host may have it. */
  findings: z.array(findingSchema),
});
export type PlannedVm = z.infer<typeof plannedVmSchema>;

/** What an emptying would do as things are now. */
export const maintenancePlanSchema = z.object({
  host: nameSchema,
  /** In the order in which they begin. */
  vms: z.array(plannedVmSchema),
  /** Until all moves have ended; without VMs that are waited for. Null: of some move there is no forecast. */
  totalMs: spreadMsSchema.nullable(),
  deadline: z
    .object({
      seconds: z.int(),
      /** `likely`: by the middle of the forecast but not by its slow end; `unknown`: there is no forecast, or a VM is waited for. */
      met: z.enum(["yes", "likely", "no", "unknown"]),
    })
    .nullable(),
});
export type MaintenancePlan = z.infer<typeof maintenancePlanSchema>;

/** VMs that a maintenance shut down or suspended, at its end. */
export const startedAgainSchema = z.object({
  /** Their tasks. */
  started: z.array(z.object({ vm: nameSchema, task: z.string() })),
  notStarted: z.array(z.object({ vm: nameSchema, reason: z.string() })),
});
export type StartedAgain = z.infer<typeof startedAgainSchema>;
