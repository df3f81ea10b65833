/** The kinds of datastores, and the questions to them. Pure. */
import type { DatastoreKind, DatastoreSource } from "@godwit/contract";
import { directory } from "./directory.ts";
import type { KindOfDatastore, Mount } from "./kind.ts";
import { nfs } from "./nfs.ts";

const kinds: { [Kind in DatastoreKind]: KindOfDatastore<Extract<DatastoreSource, { kind: Kind }>> } = {
  directory,
  nfs,
};

export const datastoreKinds = Object.keys(kinds) as DatastoreKind[];

const kindOf = <Source extends DatastoreSource>({ kind }: Source): KindOfDatastore<Source> =>
  kinds[kind] as unknown as KindOfDatastore<Source>;

export const folderOf = (source: DatastoreSource, mountPoint: string): string =>
  kindOf(source).folder(source, mountPoint);

export const mountOf = (source: DatastoreSource): Mount | null => kindOf(source).mount(source);
