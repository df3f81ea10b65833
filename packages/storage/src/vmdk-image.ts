/**
 * A VMDK as QEMU is to open it. What its descriptor names would be opened, whatever it is; so the descriptor is read here,
 * each of its extents must be a file beside it, and QEMU gets the extents themselves, or a descriptor of Godwit's own.
 */
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { GodwitError } from "@godwit/contract";
import { writeFileAtomic } from "@godwit/system";
import { checkDisk } from "./check-file.ts";
import { openInside } from "./copy-file.ts";
import { fileNode, type ImageSource, type ImageToRead } from "./image-source.ts";
import {
  mostDescriptorBytes,
  mostExtents,
  sparseHeader,
  vmdkDescriptor,
  type VmdkDescriptor,
  type VmdkExtent,
} from "./vmdk.ts";

const sectorBytes = 512;
/** QEMU reads no longer name in a descriptor. */
const longestName = 511;

/** @throws DISK_NOT_OWN, DISK_OF_OTHER_VM, IMAGE_IS_SNAPSHOT, IMAGE_UNREADABLE */
export async function vmdkSource(convert: ImageToRead, file: FileHandle): Promise<ImageSource> {
  const { from, image, part } = convert;
  const path = from.resolve(image);
  if (await isSparse(convert, file, part?.offset ?? 0))
    return { node: { driver: "vmdk", backing: null, file: fileNode(path, part) }, files: [path] };
  const whole = part?.bytes ?? (await file.stat()).size;
  const text = await readText(file, part?.offset ?? 0, Math.min(whole, mostDescriptorBytes));
  const descriptor = vmdkDescriptor(text);
  if (descriptor === null || whole > mostDescriptorBytes)
    throw unreadable(convert, "it is neither a sparse VMDK nor the descriptor of one");
  mustBeWhole(convert, descriptor);
  if (part !== undefined)
    throw unreadable(convert, "it is a descriptor, and its extents are not in the archive's image");
  const extents: { extent: VmdkExtent; path: string }[] = [];
  for (const extent of descriptor.extents) extents.push({ extent, path: await extentPath(convert, extent) });
  const files = extents.map((one) => one.path);
  const [first] = extents;
  if (first !== undefined && extents.length === 1 && isFlat(first.extent)) {
    const { offset, sectors } = first.extent;
    const inside = { offset: offset * sectorBytes, bytes: sectors * sectorBytes };
    return { node: fileNode(first.path, inside), files };
  }
  await writeFileAtomic(convert.beside, descriptorOf(extents));
  const node = { driver: "vmdk", backing: null, file: fileNode(convert.beside, undefined) };
  return { node, files: [convert.beside, ...files] };
}

const isFlat = ({ type }: VmdkExtent): boolean => type === "FLAT" || type === "VMFS";

const named = ({ vm, disk, from, image }: ImageToRead) => ({ vm, disk, path: from.resolve(image) });
const unreadable = (convert: ImageToRead, reason: string) =>
  GodwitError.of("IMAGE_UNREADABLE", { ...named(convert), reason });

/** Whether a sparse extent begins there, which is complete in itself. @throws IMAGE_IS_SNAPSHOT, IMAGE_UNREADABLE */
async function isSparse(convert: ImageToRead, file: FileHandle, at: number): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(sectorBytes), 0, sectorBytes, at);
  const header = sparseHeader(buffer.subarray(0, bytesRead));
  if (header === null) return false;
  if (header.capacity === 0) throw unreadable(convert, "it is a VMDK that has no capacity of its own");
  if (header.descriptor === null) return true;
  const { offset, bytes } = header.descriptor;
  if (bytes > mostDescriptorBytes) throw unreadable(convert, "its descriptor is larger than any");
  const descriptor = vmdkDescriptor(await readText(file, at + offset, bytes));
  if (descriptor?.hasParent === true) throw GodwitError.of("IMAGE_IS_SNAPSHOT", named(convert));
  return true;
}

function mustBeWhole(convert: ImageToRead, { hasParent, extents }: VmdkDescriptor): void {
  if (hasParent) throw GodwitError.of("IMAGE_IS_SNAPSHOT", named(convert));
  if (extents.length === 0 || extents.length > mostExtents)
    throw unreadable(convert, `its descriptor names ${String(extents.length)} extents`);
  const other = extents.find(({ type }) => !["FLAT", "VMFS", "SPARSE"].includes(type));
  if (other === undefined) return;
  const isRaw = /RDM|RAW|DEVICE/i.test(other.type);
  throw unreadable(
    convert,
    isRaw
      ? "it stands for a raw device of its host (RDM), which has no image"
      : `it has an extent of type ${other.type}, which is not read here`,
  );
}

/** @throws DISK_NOT_OWN, DISK_OF_OTHER_VM, DISK_MISSING, IMAGE_UNREADABLE */
async function extentPath(convert: ImageToRead, extent: VmdkExtent): Promise<string> {
  const { vm, disk, host, from, image } = convert;
  const { file, type, sectors, offset } = extent;
  if (!/^[^/\\"]+$/.test(file) || file === "." || file === "..")
    throw unreadable(convert, `it refers to ${file}, and an extent must lie beside its descriptor`);
  const relative = join(dirname(image), file);
  await checkDisk(from, { vm, disk, path: relative, host });
  const path = from.resolve(relative);
  if (path.length > longestName) throw unreadable(convert, `the path of its extent ${file} is too long`);
  await using opened = await openInside(from, relative, { vm, disk });
  if (isFlat(extent)) {
    const needed = (offset + sectors) * sectorBytes;
    const { size } = await opened.stat();
    if (size < needed)
      throw unreadable(
        convert,
        `its extent ${file} has ${String(size)} of ${String(needed)} bytes: it is cut off`,
      );
  } else if (!(await isSparse(convert, opened, 0)))
    throw unreadable(convert, `its extent ${file} is described as ${type}, and is no sparse VMDK`);
  return path;
}

/** The same disk in QEMU's reading, with nothing in it that was not checked. */
function descriptorOf(extents: readonly { extent: VmdkExtent; path: string }[]): string {
  const lines = extents.map(({ extent, path }) =>
    isFlat(extent)
      ? `RW ${String(extent.sectors)} FLAT "${path}" ${String(extent.offset)}`
      : `RW ${String(extent.sectors)} SPARSE "${path}"`,
  );
  const head = ["# Disk DescriptorFile", "version=1", "CID=fffffffe", "parentCID=ffffffff"];
  return [...head, 'createType="twoGbMaxExtentSparse"', ...lines, ""].join("\n");
}

async function readText(file: FileHandle, at: number, most: number): Promise<string> {
  const buffer = Buffer.alloc(most);
  const { bytesRead } = await file.read(buffer, 0, most, at);
  return buffer.toString("utf8", 0, bytesRead);
}
