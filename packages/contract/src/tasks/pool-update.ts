/**
 * The hosts of a pool are updated one after the other: emptied, a command run there, booted again where that is asked, looked at, and
 * taken back. How far each host is stands in `hosts`; the moves are tasks of their own.
 */
import { z } from "zod";
import { commandTextSchema } from "../schemas/host-command.ts";
import { maxOutageSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { hostUpdateSchema } from "../schemas/pool-update.ts";
import { defineTask } from "./define-task.ts";

export const poolUpdate = defineTask({
  kind: "pool.update",
  request: z.object({
    pool: nameSchema,
    /** In this order. */
    hosts: z.array(nameSchema),
    /** Null: they are booted again only. */
    command: commandTextSchema.nullable(),
    timeoutSeconds: z.int(),
    reboot: z.boolean(),
    concurrency: z.int(),
    maxOutageMs: maxOutageSchema.optional(),
  }),
  result: z.object({ updated: z.array(nameSchema) }),
  fields: { hosts: z.array(hostUpdateSchema).nullable() },
  describe: ({ pool, hosts }) =>
    `update ${hosts.length === 1 ? `host ${hosts.join()}` : `${String(hosts.length)} hosts`} of pool ${pool}`,
  concerns: ({ pool, hosts }) => ({ subject: { kind: "pool", id: pool, name: pool }, hosts }),
  steps: {},
  cancellable: true,
});
