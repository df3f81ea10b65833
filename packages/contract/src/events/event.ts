/**
 * What an event is. Every type has a schema of its own, so that who writes one is checked and who reads one gets a
 * union. A type that this version does not know comes from a newer one: readers pass it over.
 */
import { z } from "zod";

/** What events are about. */
export type EventSubject =
  "vm" | "host" | "datastore" | "switch" | "network" | "pool" | "image" | "task" | "move";

/** @param type `noun.pastTense`, like `host.lost` */
export const defineEvent = <Type extends string, Subject extends EventSubject, Data extends z.ZodObject>(
  type: Type,
  subject: Subject,
  data: Data,
) =>
  z.object({
    /** Grows; the SSE event id. */
    id: z.number().int(),
    at: z.iso.datetime(),
    type: z.literal(type),
    subject: z.object({ kind: z.literal(subject), id: z.string() }),
    data,
  });

/** What every event of every version has. */
export const eventHeadSchema = z.object({ id: z.number().int(), type: z.string() });
export type EventHead = z.infer<typeof eventHeadSchema>;

/** An event that is yet to be written: the log gives it its id and time. */
export type NewEvent<Event> = Event extends { type: unknown; subject: unknown; data: unknown }
  ? Pick<Event, "type" | "subject" | "data">
  : never;
