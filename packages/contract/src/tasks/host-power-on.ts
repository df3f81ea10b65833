/** A host is powered on, and waited for until its agent answers. */
import { z } from "zod";
import { nameSchema } from "../schemas/names.ts";
import { defineTask } from "./define-task.ts";

export const hostPowerOn = defineTask({
  kind: "host.powerOn",
  request: z.object({
    host: nameSchema,
    /** The pool that needs it, and takes it out of maintenance then. */
    pool: nameSchema.optional(),
  }),
  /** `wasOff`: it answers because it was powered on. */
  result: z.object({ wasOff: z.boolean() }),
  fields: {},
  describe: ({ host }) => `power host ${host} on`,
  concerns: ({ host }) => ({ subject: { kind: "host", id: host, name: host }, hosts: [host] }),
  steps: {
    on: ({ host }) => `have the power of ${host} turned on`,
    back: ({ host }) => `wait until ${host} answers`,
  },
  cancellable: false,
});
