/**
 * A disk's move to another datastore. What goes on is written beside `vm.json` before the target is made, so whoever
 * comes after a crash knows which image is a copy that nobody uses. Which of the two images is the VM's is said by `vm.json` alone. What an image
 * is, a file or a volume on a LUN, is its place's matter (`relocation-place.ts`).
 */
import {
  diskBaseOf,
  diskBaseSchema,
  GodwitError,
  isVolumePath,
  lunOf,
  nameSchema,
  volumePath,
  type Vm,
  type VmDisk,
} from "@godwit/contract";
import { UndoStack, type UserIds } from "@godwit/system";
import { z } from "zod";
import type { Datastore } from "./datastore.ts";
import { FilePlace } from "./file-place.ts";
import { forgetLeftVolume, noteLeftVolumes, readLeftVolumes } from "./left-volumes.ts";
import type { VolumeOnLun } from "./luns/lvm.ts";
import { placeOf } from "./place-of.ts";
import type { CopyAtRest, RelocationPlace } from "./relocation-place.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { isDiskPath } from "./vm-file.ts";
import { VmNote } from "./vm-note.ts";

/** Of a qcow2 image's own tables, and for what the guest writes while it is copied. */
const besideBytes = 64 * 1024 * 1024;

const placeSchema = z.object({
  datastore: nameSchema,
  path: z.string().max(300),
  /** Absent: the same at both. */
  format: z.enum(["qcow2", "raw"]).optional(),
  /** As the disk's; null: it is not known. Absent: the same at both. */
  taken: z.boolean().nullable().optional(),
});
const relocationSchema = z.object({
  version: z.literal(1),
  disk: nameSchema,
  from: placeSchema,
  to: placeSchema,
  /** Of the image at the old place; the new one is complete in itself. Absent: so is the old one. */
  base: diskBaseSchema.optional(),
});
/** One disk's move. Paths are relative to their datastores. */
export type Relocation = z.infer<typeof relocationSchema>;

/** What a disk's new place asks of it. */
export interface NewPlace {
  /** Whether disks are volumes there. */
  isVolume?: boolean;
  /** Absent: as it is; a volume is raw. */
  format?: VmDisk["format"] | undefined;
}

/** Where a disk is to lie. @throws DISK_IS_LUN, DISK_HAS_SNAPSHOTS, DISK_NOT_OWN */
export function relocationOf(vm: Vm, disk: VmDisk, to: string, asked: NewPlace = {}): Relocation {
  const { name, format: before, path, datastore = vm.datastore, base } = disk;
  if (lunOf(path) !== null) throw GodwitError.of("DISK_IS_LUN", { vm: vm.name, disk: name, datastore });
  const { isVolume = false } = asked;
  const format = asked.format ?? (isVolume ? "raw" : before);
  const target = isVolume ? volumePath(vm.id, name) : `${vm.name}/${name}.${format}`;
  if (isVolume && format !== "raw")
    throw GodwitError.of("DISK_NOT_OWN", {
      ...{ vm: vm.name, disk: name, path: target },
      reason: `on LUN datastore ${to} a disk is a raw volume`,
    });
  if (format !== before) mustBeInNoSnapshot(vm, name);
  const formats = (which: VmDisk["format"]) => (format === before ? {} : { format: which });
  // A volume that no VM has is nobody's: it goes with its VM.
  const owns = (taken: boolean | null) => (isVolume && disk.taken !== false ? { taken } : {});
  return {
    version: 1,
    disk: name,
    from: { datastore, path, ...formats(before), ...owns(disk.taken ?? null) },
    to: { datastore: to, path: target, ...formats(format), ...owns(false) },
    ...(base === undefined ? {} : { base }),
  };
}

/** Another format would not have them. @throws DISK_HAS_SNAPSHOTS */
function mustBeInNoSnapshot(vm: Vm, disk: string): void {
  const snapshots = (vm.snapshots ?? []).filter((one) => one.vm.disks.some(({ name }) => name === disk));
  if (snapshots.length > 0)
    throw GodwitError.of("DISK_HAS_SNAPSHOTS", {
      ...{ vm: vm.name, disk, what: "converted" },
      snapshots: snapshots.map(({ name }) => name),
    });
}

/** What `vm.json` names as the disk's image; null: neither of the two. Pure. */
export function describedImage(vm: Vm, { disk: name, from, to }: Relocation): "source" | "target" | null {
  const disk = vm.disks.find((one) => one.name === name);
  const isAt = ({ datastore, path }: Relocation["from"]) =>
    disk?.path === path && (disk.datastore ?? vm.datastore) === datastore;
  return isAt(to) ? "target" : isAt(from) ? "source" : null;
}

/** The VM with the disk at the one place or the other. Pure. */
export function describeAt(vm: Vm, relocation: Relocation, image: "source" | "target"): Vm {
  const place = image === "source" ? relocation.from : relocation.to;
  const { datastore: on, path } = place;
  return {
    ...vm,
    disks: vm.disks.map((disk) => {
      if (disk.name !== relocation.disk) return disk;
      const { datastore: _on, taken: before, base: _base, ...rest } = disk;
      const { format = disk.format, taken = before } = place;
      const base = image === "source" && relocation.base !== undefined ? { base: relocation.base } : {};
      return {
        ...{ ...rest, ...(on === vm.datastore ? {} : { datastore: on }), path, format },
        ...(taken === undefined || taken === null ? {} : { taken }),
        ...base,
      };
    }),
  };
}

const notes = new VmNote(
  ".godwit-relocation",
  relocationSchema,
  ({ disk, from, to, base }, vm) =>
    [from, to].every(({ path }) => isDiskPath(path, vm) || isVolumePath(path)) &&
    (base === undefined || base.path === diskBaseOf(vm, disk, base.format).path),
);

/** Null: none goes on. */
export const readRelocation = async (home: Datastore, vm: string): Promise<Relocation | null> =>
  await notes.read(home, vm);

/**
 * Notes what is to be done, and makes the folder on the target's datastore the VM's.
 * @throws DISK_FOLDER_TAKEN, DISK_EXISTS, SPACE_SHORT
 */
export async function beginRelocation(stores: VmDatastores, vm: Vm, relocation: Relocation): Promise<void> {
  const target = placeOf(stores, vm, relocation, "target");
  if (await isLeftOver(stores.own, vm, relocation)) await target.clear();
  else await target.mustBeFree();
  await target.mustHaveSpace((await placeOf(stores, vm, relocation, "source").usedBytes()) + besideBytes);
  await using undo = new UndoStack(() => undefined);
  await target.claim(undo);
  await notes.write(stores.own, vm.name, relocation);
  // An earlier volume of this name that was to go is gone.
  if (target.isDevice) await forgetLeftVolume(stores.own, vm, diskAt(relocation, relocation.to));
  undo.commit();
}

/** Whether what is at the target is of an earlier attempt, or a volume of this disk's that is to go. */
async function isLeftOver(home: Datastore, vm: Vm, relocation: Relocation): Promise<boolean> {
  const noted = await readRelocation(home, vm.name);
  if (JSON.stringify(noted) === JSON.stringify(relocation)) return true;
  const { datastore, path } = relocation.to;
  const left = await readLeftVolumes(home, vm.name);
  return left.some((one) => one.goes && one.datastore === datastore && one.path === path);
}

const diskAt = ({ disk: name }: Relocation, { datastore, path }: Relocation["from"]): VmDisk => ({
  ...{ name, datastore, path, format: "raw" },
});

export interface TargetToMake {
  vm: Vm;
  relocation: Relocation;
}

/**
 * A new image of the disk's size, for a QEMU to copy to: of a volume one that is not active.
 * @param signal ends it; its reason is thrown. @throws SPACE_SHORT, LUN_METADATA_LOCKED
 */
export async function makeTarget(
  stores: VmDatastores,
  { vm, relocation }: TargetToMake,
  { sizeBytes, user, signal }: { sizeBytes: number; user: UserIds; signal?: AbortSignal },
): Promise<void> {
  await placeOf(stores, vm, relocation, "target").make(sizeBytes, user, signal);
}

/** The image of a VM that does not run, in the target's format, and complete in itself. @throws SPACE_SHORT, DISK_NOT_OWN and what a conversion throws; the signal's reason */
export async function copyToTarget(
  stores: VmDatastores,
  { vm, relocation }: TargetToMake,
  by: CopyAtRest,
): Promise<void> {
  const source = placeOf(stores, vm, relocation, "source");
  const target = placeOf(stores, vm, relocation, "target");
  if (source instanceof FilePlace && target instanceof FilePlace && source.isSameAs(target.format))
    await target.copy(source, by);
  else await source.reading(by, (read, user) => target.fill(read, { ...by, user }));
}

/** Which volumes a move has to do with. */
export type KnownVolumes = Partial<Record<"source" | "target", VolumeOnLun>>;

/** Those that are there now. */
export async function seenVolumes(
  stores: VmDatastores,
  vm: Vm,
  relocation: Relocation,
): Promise<KnownVolumes> {
  const source = await placeOf(stores, vm, relocation, "source").seen();
  const target = await placeOf(stores, vm, relocation, "target").seen();
  return { ...(source === null ? {} : { source }), ...(target === null ? {} : { target }) };
}

/**
 * Ends a move: the image that `vm.json` does not name is removed, with the note of the move. Where it names neither, somebody has
 * changed it by hand, and both stay. A volume that cannot be removed now stays noted as one that is to go (`left-volumes.ts`).
 * @param known volumes that are the move's: others of their names, which another host has made since, stay
 * @returns why a volume stays; null: nothing does. @throws what the removal of a file throws
 */
export async function endRelocation(
  stores: VmDatastores,
  vm: Vm,
  relocation: Relocation,
  known: KnownVolumes = {},
): Promise<Error | null> {
  const described = describedImage(vm, relocation);
  const image = described === "target" ? "source" : "target";
  const place = described === null ? null : ownPlaceOf(stores, vm, relocation, image);
  if (place === null) {
    await notes.remove(stores.own, vm.name);
    return null;
  }
  if (!place.isDevice) {
    await place.remove();
    await notes.remove(stores.own, vm.name);
    return null;
  }
  const left = diskAt(relocation, image === "source" ? relocation.from : relocation.to);
  await noteLeftVolumes(stores.own, vm, [left], true);
  await notes.remove(stores.own, vm.name);
  try {
    await place.remove(known[image]);
  } catch (error) {
    return error as Error;
  }
  await forgetLeftVolume(stores.own, vm, left);
  return null;
}

/** Null for what is not the VM's: whoever can write to the datastore can write the note. */
function ownPlaceOf(...of: Parameters<typeof placeOf>): RelocationPlace | null {
  try {
    return placeOf(...of);
  } catch (error) {
    if (GodwitError.is(error, "DISK_NOT_OWN")) return null;
    throw error;
  }
}

/** Volumes that the VM's host may write to without the description naming them. */
export const volumesUnderWay = async (home: Datastore, vm: Vm): Promise<VmDisk[]> => {
  const relocation = await readRelocation(home, vm.name);
  if (relocation === null) return [];
  return [relocation.from, relocation.to].flatMap((place) =>
    isVolumePath(place.path) ? [diskAt(relocation, place)] : [],
  );
};
