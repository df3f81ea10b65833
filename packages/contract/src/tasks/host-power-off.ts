/** A host that is in maintenance and has no VMs is shut down, and stays off until it is powered on. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { defineTask } from "./define-task.ts";

export const hostPowerOff = defineTask({
  kind: "host.powerOff",
  request: z.object({
    host: nameSchema,
    /** Its power is cut; nothing on it is asked. */
    force: z.boolean(),
    /** The pool that does it to save power. */
    pool: nameSchema.optional(),
  }),
  /** `power` null: it is gone, and its controller cannot tell whether it is off. */
  result: z.object({ power: z.literal("off").nullable() }),
  fields: {},
  describe: ({ host, force }) => (force ? `cut the power of host ${host}` : `shut host ${host} down`),
  concerns: ({ host }) => ({ subject: { kind: "host", id: host, name: host }, hosts: [host] }),
  steps: {
    check: null,
    down: ({ host, force }) => (force ? `cut the power of ${host}` : `have ${host} shut down`),
    off: ({ host }) => `wait until ${host} is off`,
  },
  cancellable: false,
});
