/** Where the images of an imported VM's disks lie, and what they are. */
import { GodwitError, type ImageFormat, type VmImportOrder } from "@godwit/contract";
import type { Datastore } from "../datastore.ts";
import type { ForeignDisk } from "./foreign-vm.ts";
import type { ReadSource, SourceFile } from "./source-files.ts";

export interface ResolvedDisk {
  disk: ForeignDisk;
  file: SourceFile;
  format: ImageFormat;
}

const formatOf: Readonly<Record<string, ImageFormat>> = {
  ...{
    vmdk: "vmdk",
    qcow2: "qcow2",
    raw: "raw",
    img: "raw",
    vdi: "vdi",
    vhdx: "vhdx",
    vhd: "vpc",
    vpc: "vpc",
  },
};

/** @throws IMPORT_UNREADABLE, IMPORT_DISK_MISSING, IMPORT_DISK_FORMAT_UNKNOWN */
export async function resolveDisks(
  datastore: Datastore,
  { vm, find }: ReadSource,
  { source: { path }, disks: named = {} }: VmImportOrder,
): Promise<ResolvedDisk[]> {
  const source = `${datastore.config.name}:${path}`;
  const labels = vm.disks.map(({ label }) => label);
  const unknown = Object.keys(named).find((label) => !labels.includes(label));
  if (unknown !== undefined) {
    const reason = `it has no disk ${unknown}; its disks are ${labels.join(", ") || "none"}`;
    throw GodwitError.of("IMPORT_UNREADABLE", { source, reason });
  }
  const resolved: ResolvedDisk[] = [];
  for (const disk of vm.disks) {
    const elsewhere = named[disk.label];
    if (elsewhere === undefined && disk.unusable !== undefined) {
      const reason = `of its disk ${disk.label} ${disk.unusable}`;
      throw GodwitError.of("IMPORT_UNREADABLE", { source, reason });
    }
    const file = elsewhere === undefined ? await firstThere(disk, find) : await fileAt(datastore, elsewhere);
    const name = elsewhere ?? disk.files[0] ?? "";
    if (file === null) {
      const details = {
        source,
        disk: disk.label,
        file: elsewhere ?? disk.files.join(" or "),
        datastore: datastore.config.name,
      };
      throw GodwitError.of("IMPORT_DISK_MISSING", details);
    }
    const byName = formatOf[/\.([A-Za-z0-9]+)$/.exec(file.name)?.[1]?.toLowerCase() ?? ""];
    const format = elsewhere === undefined ? (disk.format ?? byName) : (byName ?? disk.format);
    if (format == null)
      throw GodwitError.of("IMPORT_DISK_FORMAT_UNKNOWN", { source, disk: disk.label, file: name });
    const { name: _, ...found } = file;
    resolved.push({ disk, file: found, format });
  }
  return resolved;
}

type Found = SourceFile & { name: string };

async function firstThere({ files }: ForeignDisk, find: ReadSource["find"]): Promise<Found | null> {
  for (const name of files) {
    const found = name === "" ? null : await find(name);
    if (found !== null) return { ...found, name };
  }
  return null;
}

const fileAt = async (datastore: Datastore, path: string): Promise<Found | null> =>
  (await datastore.look(path)) === "file" ? { path, name: path } : null;
