/**
 * The images that become a new VM's disks: made empty, copied from an image, or taken over where the owner says so. None
 * is put over a file that is there. A copy is made under another name, inspected, and gets its own name when it is whole.
 */
import { rename, rm } from "node:fs/promises";
import {
  GodwitError,
  storedBus,
  type ImageCopy,
  type VmDescription,
  type VmDisk,
  type VmId,
} from "@godwit/contract";
import { run, type UndoStack, type UserIds } from "@godwit/system";
import { convertImage } from "./convert-image.ts";
import { copyFile, giveTo, openInside } from "./copy-file.ts";
import type { Datastore } from "./datastore.ts";
import type { LunStore } from "./datastores/lun-store.ts";
import { claimDiskFolder } from "./disk-folder.ts";
import { isSnapshotTag, removeTags } from "./disk-snapshots.ts";
import { growImage } from "./grow-image.ts";
import { mustHaveChecksum } from "./image-checksum.ts";
import { inspectImage } from "./inspect-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";

type DescribedDisk = VmDescription["disks"][number];

export interface DisksToMake {
  id: VmId;
  vm: string;
  disks: readonly DescribedDisk[];
  /** QEMU's. */
  user: UserIds;
  host: string;
  /** Whether files in the VM's own folder are of an earlier attempt to make this very VM. */
  isRetry: boolean;
  /** Hears how far the copy of an image is, now and then. */
  onCopy?: ((progress: ImageCopy) => void) | undefined;
}

/** @throws DISK_FOLDER_TAKEN, DISK_EXISTS, DISK_MISSING, DISK_IN_USE, DISK_NOT_OWN, SPACE_SHORT, IMAGE_CHECKSUM_DIFFERS, and what the inspection and the conversion of an image throw */
export async function makeDisks(stores: VmDatastores, make: DisksToMake, undo: UndoStack): Promise<VmDisk[]> {
  const retries = new Map([[stores.own, make.isRetry]]);
  const disks: VmDisk[] = [];
  for (const disk of make.disks) {
    const { name, format } = disk;
    const lun = stores.lunStoreOf(disk);
    if (lun !== null) {
      disks.push(await takeLun(lun, make, disk));
      continue;
    }
    const store = stores.named(disk.datastore);
    const isRetry =
      retries.get(store) ?? (await claimDiskFolder(store, { id: make.id, name: make.vm }, undo));
    retries.set(store, isRetry);
    const path = `${make.vm}/${name}.${format}`;
    // One that lies there already can only be taken over.
    const taken = isTaken(disk, path);
    const exists = (await store.look(path)) !== "missing";
    if (exists && !isRetry && !(taken && disk.image === path))
      throw GodwitError.of("DISK_EXISTS", { vm: make.vm, disk: name, path: store.resolve(path) });
    if (taken && disk.sizeMib !== undefined)
      throw GodwitError.of("DISK_NOT_OWN", {
        ...{ vm: make.vm, disk: name, path: store.resolve(path) },
        reason: "an image that is the disk already is not grown",
      });
    if (disk.image === undefined) await makeEmpty(store, make, disk, path, undo);
    else if (taken) await takeOver(store, make, { ...disk, image: disk.image }, path, undo);
    else {
      const from = stores.named(disk.imageDatastore ?? disk.datastore);
      await copy({ from, to: store }, make, { ...disk, image: disk.image }, path, undo);
    }
    const elsewhere = store === stores.own ? {} : { datastore: store.config.name };
    disks.push({ name, ...elsewhere, path, format, taken, ...storedBus(disk.bus) });
  }
  return disks;
}

/** @throws DISK_NOT_OWN, and what `LunStore.probe` throws */
async function takeLun(
  store: LunStore,
  { vm, user }: DisksToMake,
  { name, image = "", take, format, bus }: DescribedDisk,
): Promise<VmDisk> {
  const named = { vm, disk: name, path: image };
  const refused = (reason: string) => GodwitError.of("DISK_NOT_OWN", { ...named, reason });
  if (image === "")
    throw refused(`on datastore ${store.name} a disk is a LUN, and none is named: image: lun-1`);
  if (take !== true)
    throw refused("nothing is copied from a LUN: with take: true it becomes the disk itself");
  if (format !== "raw") throw refused("a LUN is a raw disk: format: raw");
  await store.probe({ ...named, user });
  return { name, datastore: store.name, path: image, format, taken: true, ...storedBus(bus) };
}

const isTaken = ({ image, imageDatastore, datastore, take }: DescribedDisk, path: string): boolean =>
  take === true || (image === path && (imageDatastore === undefined || imageDatastore === datastore));

async function makeEmpty(
  datastore: Datastore,
  { vm, user }: DisksToMake,
  { name, format, sizeMib = 0 }: DescribedDisk,
  path: string,
  undo: UndoStack,
): Promise<void> {
  const target = datastore.resolve(path);
  await run("qemu-img", ["create", "-q", "-f", format, target, `${String(sizeMib)}M`], {
    what: `creating disk ${name} of VM ${vm}`,
  });
  undo.push("remove the new disk", () => rm(target, { force: true }));
  await giveTo(user, target);
}

async function takeOver(
  datastore: Datastore,
  { vm, user }: DisksToMake,
  { name, format, image }: DescribedDisk & { image: string },
  path: string,
  undo: UndoStack,
): Promise<void> {
  const [source, target] = [datastore.resolve(image), datastore.resolve(path)];
  // An earlier attempt may have moved it already.
  if (source !== target && (await datastore.look(image)) !== "missing") {
    await rename(source, target);
    undo.push("put the image back", () => rename(target, source));
  }
  const before = await giveTo(user, target);
  undo.push("give the image back", () => giveTo(before, target).then(() => undefined));
  await inspectImage({ vm, disk: name, path: source, at: target, format, user, state: "new" });
}

async function copy(
  stores: { from: Datastore; to: Datastore },
  make: DisksToMake,
  described: DescribedDisk & { image: string },
  path: string,
  undo: UndoStack,
): Promise<void> {
  const { vm, user } = make;
  const { name, format, image, sizeMib } = described;
  const [source, target] = [stores.from.resolve(image), stores.to.resolve(path)];
  const beside = stores.to.resolve(`${vm}/.${name}.${format}.copy`);
  const inspected = { vm, disk: name, format, user, state: "new" as const };
  undo.push("remove the unfinished copy", () => rm(beside, { force: true }));
  await rm(beside, { force: true });
  await fill(stores, make, described, beside, undo);
  await giveTo(user, beside);
  await inspectImage({ ...inspected, path: source, at: beside });
  // The snapshots of a VM that is copied are not the copy's.
  if (format === "qcow2") await removeTags(beside, isSnapshotTag);
  if (sizeMib !== undefined) await growImage({ ...inspected, image: source, path: beside, sizeMib });
  await rename(beside, target);
  undo.push("remove the copy", () => rm(target, { force: true }));
}

/** Copies the image as it is, or converts it. */
async function fill(
  { from, to }: { from: Datastore; to: Datastore },
  { vm, user, host, onCopy = () => undefined }: DisksToMake,
  described: DescribedDisk & { image: string },
  target: string,
  undo: UndoStack,
): Promise<void> {
  const { name: disk, format, image, imageFormat = format, imagePart: part, imageChecksum } = described;
  const source = from.resolve(image);
  await using file = await openInside(from, image, { vm, disk });
  if (imageChecksum !== undefined)
    await mustHaveChecksum(file, imageChecksum, part, { vm, disk, path: source });
  if (imageFormat !== format || part !== undefined) {
    const beside = to.resolve(`${vm}/.${disk}.vmdk`);
    undo.push("remove the descriptor of the image", () => rm(beside, { force: true }));
    await convertImage({
      vm,
      disk,
      host,
      from,
      image,
      imageFormat,
      part,
      to,
      target,
      beside,
      format,
      user,
      onCopy,
    });
    await rm(beside, { force: true });
    return;
  }
  // Nobody may be writing to it. Whether QEMU's user may read it does not matter: the copy is that user's.
  await inspectImage({ vm, disk, format, user, state: "new", path: source }).catch((error: unknown) => {
    const denied = GodwitError.is(error, "IMAGE_UNREADABLE") && /Permission denied/.test(error.message);
    if (!denied) throw error;
  });
  await copyFile({ file, source, to, target, disk, onCopy });
}
