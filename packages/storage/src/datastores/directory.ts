/** A folder of the host; what is mounted there, if anything, its administrator has mounted. */
import type { DatastoreSource } from "@godwit/contract";
import type { KindOfDatastore } from "./kind.ts";

export const directory: KindOfDatastore<Extract<DatastoreSource, { kind: "directory" }>> = {
  folder: ({ path }) => path,
  mount: () => null,
};
