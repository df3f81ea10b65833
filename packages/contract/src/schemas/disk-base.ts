/**
 * The base of a linked disk: an image that several VMs read and none writes to. Each has a hard link to it in the folder of the disk's
 * own image, which holds what the VM has written, and whose header names the base. A base has none itself.
 */
import { z } from "zod";
import { datastorePathSchema } from "./datastore-path.ts";

export const diskBaseSchema = z.strictObject({
  /** On the disk's datastore. It follows from the disk: `web-1/root.base.qcow2`. */
  path: datastorePathSchema,
  format: z.enum(["qcow2", "raw"]),
});
export type DiskBase = z.infer<typeof diskBaseSchema>;

const baseFormats = ["qcow2", "raw"] as const satisfies readonly DiskBase["format"][];

export const diskBaseOf = (vm: string, disk: string, format: DiskBase["format"]): DiskBase => ({
  path: `${vm}/${disk}.base.${format}`,
  format,
});

/** Where the base of a disk could lie. */
export const diskBasePaths = (vm: string, disk: string): string[] =>
  baseFormats.map((format) => diskBaseOf(vm, disk, format).path);

/** Whether a file of this name can only be a base: no disk's own image is named so. */
export const isBasePath = (path: string): boolean => /\.base\.(?:qcow2|raw)$/.test(path);

/** Whether any disk is linked, or to be: what agents of before do not know. */
export const hasLinkedDisks = ({
  disks,
}: {
  disks: readonly { base?: unknown; linked?: unknown }[];
}): boolean => disks.some(({ base, linked }) => base !== undefined || linked === true);
