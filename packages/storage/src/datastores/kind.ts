/** A kind of datastore with files: where they are on a host, and what has to be mounted for that. Pure. */
import type { FolderSource } from "@godwit/contract";

/** What `mount` is to be asked for. */
export interface Mount {
  type: string;
  what: string;
  options: readonly string[];
}

export interface KindOfDatastore<Source extends FolderSource> {
  /** Where the files are. @param mountPoint the folder in which this host mounts this datastore, if it has to */
  folder(source: Source, mountPoint: string): string;
  /** Null: nothing; its administrator has seen to that. */
  mount(source: Source): Mount | null;
}
