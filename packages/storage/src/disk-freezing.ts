/**
 * The image of a VM's disk becomes a base that other disks can be linked to, and the VM goes on in a new, empty image above it. All that
 * is made has a name of its own, so `vm.json` alone says which of the two the VM has: the image, or the new one with its base. What goes on
 * is written beside it before, so whoever comes after a crash knows which names nobody uses. Wherever it is cut off, what `vm.json` says
 * is whole. The VM does not run, and the caller has its exclusive lease.
 */
import { rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import {
  datastorePathSchema,
  diskBaseOf,
  diskBaseSchema,
  GodwitError,
  isBlockPath,
  nameSchema,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { syncFolder, UndoStack, type UserIds } from "@godwit/system";
import { z } from "zod";
import type { Datastore } from "./datastore.ts";
import { isSameFile, linkFile, protectBase } from "./disk-base.ts";
import { inspectImage } from "./inspect-image.ts";
import { createOverlay, virtualBytesOf } from "./linked-image.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { isDiskPath } from "./vm-file.ts";
import { saveVm } from "./vm-folder.ts";
import { VmNote } from "./vm-note.ts";

/** Of a qcow2 image's own tables. */
const besideBytes = 16 * 1048576;

const freezingSchema = z.object({
  version: z.literal(1),
  disk: nameSchema,
  datastore: nameSchema,
  /** The image, which becomes the base, and the new one above it. */
  from: datastorePathSchema,
  to: datastorePathSchema,
  base: diskBaseSchema,
});
/** Paths are relative to the datastore. */
export type Freezing = z.infer<typeof freezingSchema>;

const notes = new VmNote(
  ".godwit-freezing",
  freezingSchema,
  ({ disk, from, to, base }, vm) =>
    [from, to].every((path) => isDiskPath(path, vm)) &&
    from !== to &&
    base.path === diskBaseOf(vm, disk, base.format).path,
);

/** Null: none goes on. */
export const readFreezing = async (home: Datastore, vm: string): Promise<Freezing | null> =>
  await notes.read(home, vm);

/** What becomes of a disk's image. Pure. */
export function freezingOf(vm: Vm, { name, datastore = vm.datastore, path, format }: VmDisk): Freezing {
  const [usual, other] = [`${vm.name}/${name}.qcow2`, `${vm.name}/${name}.linked.qcow2`];
  const to = path === usual ? other : usual;
  return { version: 1, disk: name, datastore, from: path, to, base: diskBaseOf(vm.name, name, format) };
}

/** The VM with the disk above its base. Pure. */
export const frozen = (vm: Vm, { disk: name, to, base }: Freezing): Vm => ({
  ...vm,
  disks: vm.disks.map((disk) => (disk.name === name ? { ...disk, path: to, format: "qcow2", base } : disk)),
});

/** What `vm.json` says that the disk is; null: neither of the two. Pure. */
export function describedAs(
  vm: Vm,
  { disk: name, datastore, from, to, base }: Freezing,
): "image" | "frozen" | null {
  const disk = vm.disks.find((one) => one.name === name);
  if (disk === undefined || (disk.datastore ?? vm.datastore) !== datastore) return null;
  if (disk.path === to && disk.base?.path === base.path) return "frozen";
  return disk.path === from && disk.base === undefined ? "image" : null;
}

/** What a disk is frozen by; told before each, so that a test can end it there. */
export const freezingSteps = ["note", "link", "create", "describe", "protect", "remove", "forget"] as const;
type FreezingStep = (typeof freezingSteps)[number];

export interface DiskToFreeze {
  disk: VmDisk;
  /** Whose the image is; QEMU's user where that is root. */
  user: UserIds;
  beforeStep?: (step: FreezingStep) => void;
}

/**
 * What an earlier attempt has left was settled before. Where it fails, the caller settles it.
 * @returns the VM as `vm.json` then has it
 * @throws DISK_NOT_LINKABLE, DISK_EXISTS, SPACE_SHORT, and what the inspection of an image throws
 */
export async function freezeDisk(
  stores: VmDatastores,
  vm: Vm,
  { disk, user, beforeStep = () => undefined }: DiskToFreeze,
): Promise<Vm> {
  await mustBeFreezable(stores, vm, disk);
  const store = stores.named(disk.datastore);
  const freezing = freezingOf(vm, disk);
  const { from, to, base } = freezing;
  const of = { vm: vm.name, disk: disk.name };
  for (const path of [to, base.path])
    if ((await store.look(path)) !== "missing")
      throw GodwitError.of("DISK_EXISTS", { ...of, path: store.resolve(path) });
  const { freeBytes } = await store.space();
  if (freeBytes < besideBytes)
    throw GodwitError.of("SPACE_SHORT", { path: store.config.path, neededBytes: besideBytes, freeBytes });
  const image = { path: store.resolve(from), format: disk.format };
  await inspectImage({ ...of, ...image, user, state: "own" });
  const sizeBytes = await virtualBytesOf(image, user, `looking at disk ${disk.name} of VM ${vm.name}`);

  beforeStep("note");
  await notes.write(stores.own, vm.name, freezing);
  beforeStep("link");
  await using undo = new UndoStack(() => undefined);
  await linkFile(store, { from, to: base.path }, of, undo);
  undo.commit();
  beforeStep("create");
  await createOverlay(store.resolve(to), { ...of, base, sizeBytes, user });
  beforeStep("describe");
  const after = frozen(vm, freezing);
  await saveVm(stores.own, after);
  await complete(store, freezing, beforeStep);
  beforeStep("forget");
  await notes.remove(stores.own, vm.name);
  return after;
}

/** @throws DISK_NOT_LINKABLE */
async function mustBeFreezable(
  stores: VmDatastores,
  vm: Vm,
  { name: disk, path, datastore }: VmDisk,
): Promise<void> {
  const refused = (reason: "block" | "snapshots" | "names", what: string | null) =>
    GodwitError.of("DISK_NOT_LINKABLE", { vm: vm.name, disk, reason, what });
  if (isBlockPath(path)) throw refused("block", null);
  const snapshots = (vm.snapshots ?? []).map((one) => one.name);
  if (snapshots.length > 0) throw refused("snapshots", snapshots.join(", "));
  const image = stores.named(datastore).resolve(path);
  if ((await stat(image)).nlink > 1) throw refused("names", image);
}

/** From now on the image has the name of a base only, and nobody writes to it. */
async function complete(
  store: Datastore,
  { from, base }: Freezing,
  beforeStep: (step: FreezingStep) => void,
): Promise<void> {
  beforeStep("protect");
  await protectBase(store.resolve(base.path));
  beforeStep("remove");
  if (!(await isSameFile(store, from, base.path))) return;
  await rm(store.resolve(from));
  await syncFolder(dirname(store.resolve(from)));
}

/**
 * Ends what was cut off: names that `vm.json` does not say go. Where it says neither, somebody has changed it by hand, and all stays.
 * @param vm as `vm.json` has it
 */
export async function settleFreezing(stores: VmDatastores, vm: Vm, freezing: Freezing): Promise<void> {
  const { datastore, from, to, base } = freezing;
  const described = describedAs(vm, freezing);
  const store = stores.named(datastore);
  if (described === "frozen") await complete(store, freezing, () => undefined);
  if (described === "image") {
    if ((await store.look(to)) === "file") await rm(store.resolve(to), { force: true });
    // Another file under the base's name is nobody's whom we know.
    if (await isSameFile(store, from, base.path)) await rm(store.resolve(base.path), { force: true });
  }
  await notes.remove(stores.own, vm.name);
}
