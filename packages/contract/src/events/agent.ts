/** The events of an agent, `/agent/v1/events`: for the server. */
import { z } from "zod";
import { imageCopySchema } from "../schemas/image-copy.ts";
import { moveRecordSchema } from "../schemas/move.ts";
import { nameSchema } from "../schemas/names.ts";
import { leaseStateSchema } from "../schemas/lease.ts";
import { pauseReasonSchema, vmStateSchema } from "../schemas/vm-view.ts";
import { defineEvent } from "./event.ts";

const vmStateChanged = defineEvent(
  "vm.stateChanged",
  "vm",
  z.object({
    name: nameSchema,
    state: vmStateSchema,
    pauseReason: pauseReasonSchema.nullable().default(null),
  }),
);
/** The VM is being made: the copy of an image goes on. */
const vmImageCopied = defineEvent("vm.imageCopied", "vm", z.object({ copy: imageCopySchema }));
/** An image comes into the library, by the id of its task. */
const imageFetched = defineEvent("image.fetched", "image", z.object({ copy: imageCopySchema }));
/** The VM has moved away. */
const vmMovedAway = defineEvent("vm.movedAway", "vm", z.object({}));
const moveChanged = defineEvent("move.changed", "move", z.object({ move: moveRecordSchema }));
/** The host is another than before: its facts are to be read again. */
const hostFactsChanged = defineEvent("host.factsChanged", "host", z.object({}));
/** What the host does is to be read again. */
const hostLoadChanged = defineEvent("host.loadChanged", "host", z.object({}));
/** The host's leases on a shared datastore can be taken, or not any more. */
const hostLeasesChanged = defineEvent(
  "host.leasesChanged",
  "host",
  z.object({ datastore: nameSchema, state: leaseStateSchema, reason: z.string().nullable() }),
);

export const agentEventSchema = z.discriminatedUnion("type", [
  vmStateChanged,
  vmImageCopied,
  imageFetched,
  vmMovedAway,
  moveChanged,
  hostFactsChanged,
  hostLoadChanged,
  hostLeasesChanged,
]);
export type AgentEvent = z.infer<typeof agentEventSchema>;
