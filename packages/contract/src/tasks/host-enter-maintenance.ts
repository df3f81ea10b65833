/**
 * A host takes no more VMs, and those that it has go to others. Its steps are the VMs: `move` and `relocate` are
 * tasks of their own, `leave` is a stopped VM that stays.
 */
import { z } from "zod";
import { maxOutageSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask } from "./define-task.ts";

export const hostEnterMaintenance = defineTask({
  kind: "host.enterMaintenance",
  request: z.object({ host: nameSchema, concurrency: z.int(), maxOutageMs: maxOutageSchema.optional() }),
  /** Names of VMs: on other hosts now, and still here, which are stopped. */
  result: z.object({ moved: z.array(nameSchema), stayed: z.array(nameSchema) }),
  fields: {},
  describe: ({ host }) => `move all VMs away from host ${host} for maintenance`,
  concerns: ({ host }) => ({ subject: { kind: "host", id: host, name: host }, hosts: [host] }),
  steps: { closeHost: null },
  cancellable: true,
});
