/**
 * A VM that does not run is written as an OVA: an OVF envelope, a manifest and an image for each disk in one tar archive, on a
 * datastore. The images are converted by `qemu-img` as the VM's own user in a sandbox. All is made in a folder beside, so that the file
 * has its name only when it is whole; the caller has the VM's exclusive lease.
 */
import { constants } from "node:fs";
import { chmod, link, mkdir, open, rm, stat, type FileHandle } from "node:fs/promises";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import {
  GodwitError,
  type ExportPlace,
  type ImageCopy,
  type TaskId,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { limitedAs, run, syncFolder, type UserIds } from "@godwit/system";
import { isVmFolder } from "../check-file.ts";
import { endsWithParent } from "../convert-image.ts";
import { watchCopy } from "../copy-progress.ts";
import type { Datastore } from "../datastore.ts";
import { virtualBytesIn } from "../image-info.ts";
import { tarBlockBytes } from "../import/tar-header.ts";
import type { VmDatastores } from "../vm-datastores.ts";
import { bytesOf, readingDisk, type DiskToRead } from "./disk-to-read.ts";
import { isOfExport, ovfEnvelope, type ExportedDisk } from "./ovf-envelope.ts";
import { tarEnd, tarMemberHeader, tarPadding } from "./tar-blocks.ts";

const limitMs = 12 * 3600 * 1000;
/** Room that stays on the datastore: other VMs write there, too. */
const spareBytes = 64 * 1048576;
const pieceBytes = 4 * 1048576;

export interface OvaOrder {
  id: TaskId;
  vm: Vm;
  stores: VmDatastores;
  to: Datastore;
  place: ExportPlace;
  /** QEMU's, which volumes are read as. */
  user: UserIds;
  onCopy: (progress: ImageCopy) => void;
}

/**
 * Asked again with the same id after it was done, it answers the same; what an attempt that was cut off has left is removed.
 * @returns the size of the OVA, bytes
 * @throws EXPORT_PLACE_UNUSABLE, EXPORT_FAILED, SPACE_SHORT
 */
export async function writeOva(order: OvaOrder): Promise<number> {
  const { id, to, place } = order;
  const target = to.resolve(place.path);
  const folder = join(dirname(target), `.godwit-export-${id}`);
  await checkPlace(order);
  await rm(folder, { recursive: true, force: true });
  if ((await to.look(place.path)) !== "missing") return await bytesOfDone(order, target);
  await mkdir(folder);
  await chmod(folder, 0o711);
  try {
    const whole = join(folder, basename(target));
    await writeArchive(order, folder, whole);
    await link(whole, target).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      throw unusable(order, "there is such a file already", error);
    });
    await syncFolder(dirname(target));
    return (await stat(target)).size;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkPlace(order: OvaOrder): Promise<void> {
  const { to, place } = order;
  const names = place.path.split("/");
  if (names.some((name) => name.startsWith(".")))
    throw unusable(order, "Godwit keeps names that begin with a dot");
  const [first = ""] = names;
  if (names.length === 1) return;
  const parent = await to.look(dirname(place.path));
  if (parent !== "folder")
    throw unusable(order, parent === "missing" ? "its folder is not there" : "it does not lie in a folder");
  if (await isVmFolder(to, first)) throw unusable(order, `${first} is the folder of a VM`);
}

/** The archive that this export has written already. */
async function bytesOfDone(order: OvaOrder, target: string): Promise<number> {
  await using file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const found = await file.stat();
  const { buffer, bytesRead } = await file.read(Buffer.alloc(1048576), 0, 1048576, 0);
  if (found.isFile() && isOfExport(buffer.toString("utf8", 0, bytesRead), order.id)) return found.size;
  throw unusable(order, "there is such a file already");
}

async function writeArchive(order: OvaOrder, folder: string, whole: string): Promise<void> {
  const { id, vm } = order;
  const images: { disk: ExportedDisk; path: string }[] = [];
  for (const disk of vm.disks) {
    const path = join(folder, `${disk.name}.vmdk`);
    const capacityBytes = await convert(order, disk, path);
    const { size: bytes } = await stat(path);
    images.push({
      disk: { name: disk.name, file: `${vm.name}-${disk.name}.vmdk`, bytes, capacityBytes },
      path,
    });
  }
  await using archive = await open(whole, "wx", 0o644);
  const envelope = Buffer.from(
    ovfEnvelope(
      vm,
      images.map(({ disk }) => disk),
      id,
    ),
  );
  const names = { ovf: `${vm.name}.ovf`, manifest: `${vm.name}.mf` };
  const lines = (sums: readonly string[]) =>
    Buffer.from(
      [names.ovf, ...images.map(({ disk }) => disk.file)]
        .map((file, index) => `SHA256(${file})= ${sums[index] ?? "0".repeat(64)}\n`)
        .join(""),
    );
  const sums = [createHash("sha256").update(envelope).digest("hex")];
  const now = Date.now();
  try {
    await append(archive, [
      tarMemberHeader(names.ovf, envelope.length, now),
      envelope,
      tarPadding(envelope.length),
    ]);
    const manifestAt = (await archive.stat()).size + tarBlockBytes;
    // It comes before the images, and has as many bytes for any sum.
    const manifest = lines([]);
    await append(archive, [
      tarMemberHeader(names.manifest, manifest.length, now),
      manifest,
      tarPadding(manifest.length),
    ]);
    for (const { disk, path } of images) {
      await append(archive, [tarMemberHeader(disk.file, disk.bytes, now)]);
      sums.push(await appendFile(archive, path));
      await append(archive, [tarPadding(disk.bytes)]);
      await rm(path);
    }
    await append(archive, [tarEnd]);
    await archive.write(lines(sums), 0, manifest.length, manifestAt);
    await archive.sync();
  } catch (error) {
    throw await short(order, error);
  }
}

async function append(archive: FileHandle, blocks: readonly Buffer[]): Promise<void> {
  for (const block of blocks) await archive.appendFile(block);
}

/** @returns its SHA-256 */
async function appendFile(archive: FileHandle, path: string): Promise<string> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(pieceBytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, pieceBytes, null);
    if (bytesRead === 0) return hash.digest("hex");
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await archive.appendFile(piece);
  }
}

/** @returns what the guest sees of the disk, bytes */
async function convert(order: OvaOrder, disk: VmDisk, target: string): Promise<number> {
  return await readingDisk(order, disk, (image) => convertImage(order, disk, image, target));
}

async function convertImage(
  order: OvaOrder,
  disk: VmDisk,
  { source, measured, user, usedBytes }: DiskToRead,
  target: string,
): Promise<number> {
  const { to, vm, onCopy } = order;
  const file = await open(target, "wx", 0o600);
  await file.chown(user.uid, user.gid).finally(() => file.close());
  const { freeBytes } = await to.space();
  const qemuImg = async (mostFileBytes: number, words: string[]): Promise<string> => {
    const limits = { cpuSeconds: limitMs / 1000 };
    const [program = "", ...args] = [
      ...[...endsWithParent, ...limitedAs(user, mostFileBytes, limits)],
      ...["qemu-img", ...words],
    ];
    const what = `converting disk ${disk.name} of VM ${vm.name}`;
    return (await run(program, args, { what, timeoutMs: limitMs, killSignal: "SIGKILL" })).stdout;
  };
  using _watch = watchCopy(target, { disk: disk.name, totalBytes: usedBytes }, onCopy);
  try {
    const capacityBytes = virtualBytesIn(await qemuImg(0, ["info", "--output=json", measured]));
    const options = ["-O", "vmdk", "-o", "subformat=streamOptimized"];
    await qemuImg(Math.max(0, freeBytes - spareBytes), [
      "convert",
      "-t",
      "writeback",
      ...options,
      source,
      target,
    ]);
    return capacityBytes;
  } catch (error) {
    if (!GodwitError.is(error, "PROGRAM_FAILED")) throw error;
    const reason = String(error.problem.details.output)
      .replace(/^qemu-img: /, "")
      .trim()
      .replace(/\.$/, "");
    if (/No space left|File too large|file size limit/i.test(reason)) throw await short(order, error);
    throw GodwitError.of("EXPORT_FAILED", { vm: vm.name, disk: disk.name, reason }, { cause: error });
  }
}

/** The error, or that the datastore is full where that is why. */
async function short({ to, vm, stores }: OvaOrder, error: unknown): Promise<unknown> {
  const isShort = ["ENOSPC", "EFBIG", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");
  if (!isShort && !GodwitError.is(error, "PROGRAM_FAILED")) return error;
  const { freeBytes } = await to.space();
  const sizes = vm.disks.map((disk) => bytesOf(stores, vm, disk));
  const neededBytes = (await Promise.all(sizes)).reduce((all, bytes) => all + bytes, spareBytes);
  return GodwitError.of("SPACE_SHORT", { path: to.config.path, neededBytes, freeBytes }, { cause: error });
}

const unusable = ({ vm, place }: OvaOrder, reason: string, cause?: unknown): GodwitError =>
  GodwitError.of(
    "EXPORT_PLACE_UNUSABLE",
    { vm: vm.name, place: `${place.datastore}:${place.path}`, reason },
    { cause },
  );
