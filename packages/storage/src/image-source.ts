/** An image that is to be converted, and how QEMU opens it. */
import type { ImageCopy, ImageFormat, ImagePart, VmDisk } from "@godwit/contract";
import type { UserIds } from "@godwit/system";
import type { Datastore } from "./datastore.ts";

export interface ImageToRead {
  vm: string;
  disk: string;
  host: string;
  from: Datastore;
  /** Relative to its datastore. */
  image: string;
  imageFormat: ImageFormat;
  part: ImagePart | undefined;
  /** Absolute; where a file of Godwit's own may be put meanwhile. Whoever calls removes it. */
  beside: string;
  /** QEMU's, whose the disk becomes. */
  user: UserIds;
}

export interface ImageToConvert extends ImageToRead {
  to: Datastore;
  /** Absolute; made new. */
  target: string;
  format: VmDisk["format"];
  onCopy: (progress: ImageCopy) => void;
  signal?: AbortSignal | undefined;
}

/** A block node as QEMU takes it. */
type BlockNode = Readonly<Record<string, unknown>>;

/** What is converted. */
export interface ImageSource {
  node: BlockNode;
  /** All files that QEMU opens, absolute. */
  files: string[];
}

/** A file, or a part of one. */
export function fileNode(filename: string, part: ImagePart | undefined): BlockNode {
  const file = { driver: "file", filename };
  return part === undefined ? file : { driver: "raw", offset: part.offset, size: part.bytes, file };
}
