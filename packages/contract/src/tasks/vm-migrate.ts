/** A running VM moves to another host. Its steps are the phases of the move. */
import { z } from "zod";
import { keptForecastSchema } from "../schemas/kept-forecast.ts";
import { moveOrderSchema, movePhaseSchema, moveProgressSchema, moveRecordSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask, vmReferenceSchema, vmSubject } from "./define-task.ts";

export const vmMigrate = defineTask({
  kind: "vm.migrate",
  request: moveOrderSchema
    .pick({
      maxOutageMs: true,
      accelerator: true,
      strategy: true,
      objective: true,
      bandwidthBytesPerSecond: true,
      storage: true,
    })
    .extend({
      ...{ vm: vmReferenceSchema, from: nameSchema, to: nameSchema },
      /** What the move was said to be like; absent: the VM's memory had not been measured. */
      forecast: keptForecastSchema.optional(),
    }),
  result: z.object({ host: nameSchema }),
  fields: {
    phase: movePhaseSchema.nullable(),
    progress: moveProgressSchema.nullable(),
    /**
     * As somebody has changed them since it was asked for; the copy's ceiling is the move's own, of which its hosts' may leave
     * it less. Null: nobody has. Absent: an earlier version's task.
     */
    limits: moveOrderSchema.pick({ bandwidthBytesPerSecond: true, maxOutageMs: true }).optional().nullable(),
    /** The move's full record. */
    move: moveRecordSchema.nullable(),
  },
  describe: ({ vm, from, to }) => `move VM ${vm.name} from host ${from} to host ${to}`,
  concerns: ({ vm, from, to }) => ({ subject: vmSubject(vm), arrivesAt: to, hosts: [from, to] }),
  steps: { order: null },
  cancellable: true,
});
