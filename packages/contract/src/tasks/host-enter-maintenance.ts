/**
 * A host takes no more VMs, and those that it has go to others. Its steps are the VMs: `move`, `relocate`, `shutDown` and `suspend` are
 * tasks of their own, `wait` is a VM that cannot move yet, `leave` is one that stays.
 */
import { z } from "zod";
import { cannotMoveSchema } from "../schemas/maintenance.ts";
import { maxOutageSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema } from "./define-task.ts";

export const hostEnterMaintenance = defineTask({
  kind: "host.enterMaintenance",
  request: z.object({
    host: nameSchema,
    concurrency: z.int(),
    maxOutageMs: maxOutageSchema.optional(),
    /** What becomes of VMs that cannot move. Absent: then it fails. */
    cannotMove: cannotMoveSchema.optional(),
    /** The same for single VMs. */
    vms: z.array(vmReferenceSchema.extend({ cannotMove: cannotMoveSchema })).optional(),
    /** For guests that are shut down. */
    graceSeconds: z.int().optional(),
    /** From then on no move starts. */
    deadlineAt: z.iso.datetime().optional(),
  }),
  /** Names of VMs. */
  result: z.object({
    /** On other hosts now. */
    moved: z.array(nameSchema),
    /** Still here. */
    stayed: z.array(nameSchema),
    /** Of those: shut down or suspended by this task. */
    shutDown: z.array(nameSchema).optional(),
    /** Of those: running, as was asked. The host is not in maintenance then, but still entering it. */
    running: z.array(nameSchema).optional(),
  }),
  fields: {},
  describe: ({ host }) => `move all VMs away from host ${host} for maintenance`,
  concerns: ({ host }) => ({ subject: { kind: "host", id: host, name: host }, hosts: [host] }),
  steps: { closeHost: null },
  cancellable: true,
});
