/**
 * Running VMs of a host whose QEMU was upgraded under them come onto the new one: each moves to another host and back.
 * Its steps are these moves, which are tasks of their own.
 */
import { z } from "zod";
import { maxOutageSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { defineTask } from "./define-task.ts";

export const hostRenewQemu = defineTask({
  kind: "host.renewQemu",
  request: z.object({ host: nameSchema, maxOutageMs: maxOutageSchema.optional() }),
  /** Names of VMs that ran on an outdated QEMU when it began, and do not any more. */
  result: z.object({ renewed: z.array(nameSchema) }),
  fields: {},
  describe: ({ host }) => `bring the VMs of host ${host} onto its QEMU`,
  concerns: ({ host }) => ({ subject: { kind: "host", id: host, name: host }, hosts: [host] }),
  steps: { findVms: null },
  cancellable: true,
});
