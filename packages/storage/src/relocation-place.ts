/** One of the two places of a disk that moves between datastores, and what each kind of store does there: `file-place.ts`, `volume-place.ts`. */
import type { DiskBase, ImageCopy, Vm, VmDisk } from "@godwit/contract";
import type { UndoStack, UserIds } from "@godwit/system";
import type { ReadImage } from "./convert-image.ts";
import type { VolumeOnLun } from "./luns/lvm.ts";

/** A disk's image at a place. */
export interface PlacedDisk {
  vm: Vm;
  disk: string;
  /** Relative to the datastore. */
  path: string;
  format: VmDisk["format"];
  /** Absent: it is complete in itself. */
  base?: DiskBase | undefined;
}

/** How an image is copied at rest. */
export interface CopyAtRest {
  /** QEMU's, where the image says nothing else. */
  user: UserIds;
  onCopy: (progress: ImageCopy) => void;
  signal: AbortSignal;
}

export interface RelocationPlace {
  readonly format: VmDisk["format"];
  /** A block device of the host while it is used. */
  readonly isDevice: boolean;
  /** That nothing is there. @throws DISK_EXISTS */
  mustBeFree: () => Promise<void>;
  /** Removes what an earlier attempt at this very move has left, where it would be in the way of what comes next. */
  clear: () => Promise<void>;
  /** What the image takes of its storage, bytes. */
  usedBytes: () => Promise<number>;
  /** @throws SPACE_SHORT; where only the making of the image can say it, nothing */
  mustHaveSpace: (bytes: number) => Promise<void>;
  /** Makes what the image lies in the VM's. @throws DISK_FOLDER_TAKEN */
  claim: (undo: UndoStack) => Promise<void>;
  /** A new image of zeros for a QEMU to copy to, the user's. @param signal ends it; its reason is thrown */
  make: (sizeBytes: number, user: UserIds, signal: AbortSignal | undefined) => Promise<void>;
  /** Which volume there is now; null: none, or it is a file. */
  seen: () => Promise<VolumeOnLun | null>;
  /** What QEMU opens, an absolute path; null: a volume that is not active here. */
  opened: () => Promise<string | null>;
  /** Lends the image to a program of this user, which reads it. The VM runs nowhere. */
  reading: <T>(by: CopyAtRest, use: (read: ReadImage, user: UserIds) => Promise<T>) => Promise<T>;
  /** Makes the image from another one. @throws SPACE_SHORT, IMAGE_UNREADABLE; the signal's reason */
  fill: (read: ReadImage, by: CopyAtRest) => Promise<void>;
  /** Removes the image, which nobody has open. One that is not there is removed already. @param only of a volume: another one of its name stays */
  remove: (only?: VolumeOnLun) => Promise<void>;
}
