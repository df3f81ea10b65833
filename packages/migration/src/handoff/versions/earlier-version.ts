/**
 * An earlier version as data: for each kind of message and entry, the names that have changed since and those that it
 * does not have. Fields that it does not have need no word here: its schemas pass them over.
 */
import type { DestinationEntry } from "../destination-state.ts";
import type { ToDestination, ToSource } from "../messages.ts";
import type { SourceEntry } from "../source-state.ts";

export interface Names<Name extends string> {
  /** Today's name: that version's. */
  readonly renamed: Readonly<Partial<Record<Name, string>>>;
  readonly absent: readonly Name[];
}

export interface EarlierVersion {
  readonly toDestination: Names<ToDestination["type"]>;
  readonly toSource: Names<ToSource["type"]>;
  readonly sourceJournal: Names<SourceEntry["at"]>;
  readonly destinationJournal: Names<DestinationEntry["at"]>;
}
