/**
 * A disk's image as `qemu-img` opens it: by a block node that says all that is opened. What its header names is not followed; the
 * base of a linked disk is named here, read-only and without anything below. Pure.
 */
import type { DiskBase, VmDisk } from "@godwit/contract";

/** Paths are absolute. */
export interface ImageOfDisk {
  path: string;
  format: VmDisk["format"];
  /** Null: the image is complete in itself. */
  base: DiskBase | null;
}

/** A name that `qemu-img` takes in the place of a file's. Its format is not guessed. */
export const imageName = ({ path, format, base }: ImageOfDisk): string =>
  `json:${JSON.stringify({
    ...{ driver: format, file: { driver: "file", filename: path } },
    ...(format === "qcow2" ? { backing: base === null ? null : baseNode(base) } : {}),
  })}`;

const baseNode = ({ path, format }: DiskBase) => ({
  ...{ driver: format, file: { driver: "file", filename: path, "read-only": true }, "read-only": true },
  ...(format === "qcow2" ? { backing: null } : {}),
});
