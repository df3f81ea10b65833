/**
 * Messages and journal entries in the words of an earlier version, and from them. Pure renaming: what a message means
 * is the same in every version that is still spoken, else that version is no longer spoken.
 */
import { spokenProtocol, vmInVersion, type MoveOrder } from "@godwit/contract";
import type { z } from "zod";
import type { DestinationEntry } from "../destination-state.ts";
import { toDestinationSchema, toSourceSchema, type ToDestination, type ToSource } from "../messages.ts";
import type { SourceEntry } from "../source-state.ts";
import type { EarlierVersion, Names } from "./earlier-version.ts";
import { version1 } from "./version-1.ts";

const earlierVersions: Readonly<Record<number, EarlierVersion>> = { 1: version1 };

/** A message on its way: its text is JSON of what `write` returns. */
export interface Wire<Message> {
  /** In the words of a version; null: that version has no such message, and is not sent it. */
  write(message: Message, version: number): unknown;
  /** What was said in the words of a version; null: this program does not know it. */
  read(said: unknown, version: number): Message | null;
}

function wire<Message extends { type: string; order?: MoveOrder }>(
  schema: z.ZodType<Message>,
  namesIn: (version: EarlierVersion) => Names<string>,
): Wire<Message> {
  const names = (version: number) => {
    const earlier = earlierVersions[version];
    return earlier === undefined ? null : namesIn(earlier);
  };
  return {
    write: (message, version) => {
      const { renamed = {}, absent = [] } = names(version) ?? {};
      if (absent.includes(message.type)) return null;
      return { ...contentIn(message, version), type: renamed[message.type] ?? message.type };
    },
    read: (said, version) => schema.safeParse(translated(said, "type", names(version))).data ?? null,
  };
}

/** Of all messages only an order holds what an earlier version refuses to read. */
const contentIn = (message: { order?: MoveOrder }, version: number): object =>
  message.order === undefined
    ? message
    : { ...message, order: { ...message.order, vm: vmInVersion(message.order.vm, version) } };

export const toDestinationWire: Wire<ToDestination> = wire<ToDestination>(
  toDestinationSchema,
  (version) => version.toDestination,
);
export const toSourceWire: Wire<ToSource> = wire<ToSource>(toSourceSchema, (version) => version.toSource);

/** Of the journals that this version writes. */
export const journalVersion = spokenProtocol.newest;

/** An entry of a journal as today's. @param version of its line; null is returned for one that is not read any more, or not yet */
export function readEntry(
  role: "source" | "destination",
  entry: unknown,
  version: number,
): SourceEntry | DestinationEntry | null {
  if (version === journalVersion) return entry as SourceEntry | DestinationEntry;
  const earlier = earlierVersions[version];
  if (earlier === undefined) return null;
  const names = role === "source" ? earlier.sourceJournal : earlier.destinationJournal;
  return translated(entry, "at", names) as SourceEntry | DestinationEntry;
}

/** From an earlier version's name to today's. */
function translated(said: unknown, key: "type" | "at", names: Names<string> | null): unknown {
  if (names === null || typeof said !== "object" || said === null || !(key in said)) return said;
  const name = (said as Record<string, unknown>)[key];
  const today = Object.entries(names.renamed).find(([, then]) => then === name)?.[0];
  return today === undefined ? said : { ...said, [key]: today };
}
