/** The kinds of datastores, and the questions to those that have files. Pure. */
import type { DatastoreKind, FolderSource } from "@godwit/contract";
import { directory } from "./directory.ts";
import type { KindOfDatastore, Mount } from "./kind.ts";
import { nfs } from "./nfs.ts";

type FolderKind = FolderSource["kind"];

const kinds: { [Kind in FolderKind]: KindOfDatastore<Extract<FolderSource, { kind: Kind }>> } = {
  directory,
  nfs,
};

export const datastoreKinds: readonly DatastoreKind[] = [
  ...(Object.keys(kinds) as FolderKind[]),
  "iscsi",
  "lun",
];

const kindOf = <Source extends FolderSource>({ kind }: Source): KindOfDatastore<Source> =>
  kinds[kind] as unknown as KindOfDatastore<Source>;

export const folderOf = (source: FolderSource, mountPoint: string): string =>
  kindOf(source).folder(source, mountPoint);

export const mountOf = (source: FolderSource): Mount | null => kindOf(source).mount(source);
