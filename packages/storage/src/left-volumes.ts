/**
 * Volumes on LUNs that a VM's description names no more, or soon will not: whose they are is said beside `vm.json`, so none is
 * without an owner. One whose removal was asked for goes as soon as the guest has let its disk go. One that the guest has let go by itself
 * stays until the VM is deleted: nobody asked for the end of its content.
 */
import { GodwitError, isVolumePath, nameSchema, type Vm, type VmDisk } from "@godwit/contract";
import { z } from "zod";
import type { Datastore } from "./datastore.ts";
import { VolumeGroup } from "./datastores/volume-group.ts";
import type { VmDatastores } from "./vm-datastores.ts";
import { VmNote } from "./vm-note.ts";

const most = 256;
const noteSchema = z.object({
  version: z.literal(1),
  volumes: z
    .array(
      z.object({
        disk: nameSchema,
        datastore: nameSchema,
        path: z.string().max(300).refine(isVolumePath, "must be a volume"),
        /** Its removal was asked for. */
        goes: z.boolean(),
      }),
    )
    .max(most),
});
export type LeftVolume = z.infer<typeof noteSchema>["volumes"][number];

const notes = new VmNote(".godwit-left-volumes", noteSchema, () => true);

export const readLeftVolumes = async (home: Datastore, vm: string): Promise<LeftVolume[]> =>
  (await notes.read(home, vm))?.volumes ?? [];

/** What is noted of these volumes from now on. @param goes whether their removal is asked for; one that is asked for stays so */
export async function noteLeftVolumes(
  home: Datastore,
  vm: Vm,
  disks: readonly VmDisk[],
  goes: boolean,
): Promise<void> {
  const volumes = await readLeftVolumes(home, vm.name);
  const next = withVolumes(volumes, vm, disks, goes);
  if (JSON.stringify(next) !== JSON.stringify(volumes)) await write(home, vm.name, next);
}

/** Pure. */
export function withVolumes(
  volumes: readonly LeftVolume[],
  vm: Pick<Vm, "datastore">,
  disks: readonly VmDisk[],
  goes: boolean,
): LeftVolume[] {
  const added = disks.flatMap(({ name: disk, datastore = vm.datastore, path }) => {
    if (!isVolumePath(path)) return [];
    const known = volumes.find((one) => isSame(one, { datastore, path }));
    return [{ disk, datastore, path, goes: goes || known?.goes === true }];
  });
  return [...volumes.filter((one) => !added.some((other) => isSame(one, other))), ...added].slice(-most);
}

/** The VM keeps the disk, or has another of its name from now on: its removal is asked for no more. */
export async function forgetLeftVolume(home: Datastore, vm: Vm, { path, datastore }: VmDisk): Promise<void> {
  const volumes = await readLeftVolumes(home, vm.name);
  const next = volumes.filter((one) => !isSame(one, { datastore: datastore ?? vm.datastore, path }));
  if (next.length < volumes.length) await write(home, vm.name, next);
}

type Place = Pick<LeftVolume, "datastore" | "path">;
const isSame = (one: Place, other: Place): boolean =>
  one.path === other.path && one.datastore === other.datastore;

async function write(home: Datastore, vm: string, volumes: LeftVolume[]): Promise<void> {
  if (volumes.length === 0) await notes.remove(home, vm);
  else await notes.write(home, vm, { version: 1, volumes });
}

/** The VM is no more. */
export async function removeLeftNote(home: Datastore, vm: string): Promise<void> {
  await notes.remove(home, vm);
}

/**
 * What becomes of them. A request that the guest has not followed ends with its QEMU: the next one has the disk as before. Pure.
 * @param vm as `vm.json` has it, and where it runs also its QEMU
 */
export function whatIsLeft(
  volumes: readonly LeftVolume[],
  vm: Pick<Vm, "datastore" | "disks">,
  isRunning: boolean,
): { go: LeftVolume[]; stay: LeftVolume[] } {
  const isNamed = ({ path, datastore }: LeftVolume) =>
    vm.disks.some((disk) =>
      isSame({ path: disk.path, datastore: disk.datastore ?? vm.datastore }, { path, datastore }),
    );
  return {
    go: volumes.filter((one) => one.goes && !isNamed(one)),
    stay: volumes.filter((one) => (one.goes ? isNamed(one) && isRunning : !isNamed(one))),
  };
}

/** Of a VM that does not run. @returns whether volumes are to go */
export async function forgetLapsedRequests(home: Datastore, vm: Vm): Promise<boolean> {
  const volumes = await readLeftVolumes(home, vm.name);
  const { go, stay } = whatIsLeft(volumes, vm, false);
  if (go.length + stay.length < volumes.length) await write(home, vm.name, [...go, ...stay]);
  return go.length > 0;
}

/**
 * Removes those that are to go. The caller has opened their datastores, and nobody else may change the VM.
 * @throws what the removal of a volume throws: it stays noted, with those that were to go after it on its datastore
 */
export async function settleLeftVolumes(stores: VmDatastores, vm: Vm, isRunning: boolean): Promise<void> {
  const volumes = await readLeftVolumes(stores.own, vm.name);
  const { go, stay } = whatIsLeft(volumes, vm, isRunning);
  const kept: LeftVolume[] = [];
  const failures = new Map<string, unknown>();
  for (const one of go) {
    // What one cannot be removed for is in the way of all on that datastore, and each would wait for it.
    if (!failures.has(one.datastore))
      await remove(stores, vm, one).catch((error: unknown) => failures.set(one.datastore, error));
    if (failures.has(one.datastore)) kept.push(one);
  }
  // One that is removed must not stay noted: a later disk of its name would be taken for one that is to go.
  if (kept.length + stay.length < volumes.length) await write(stores.own, vm.name, [...kept, ...stay]);
  for (const failure of failures.values()) throw failure;
}

async function remove(stores: VmDatastores, vm: Vm, { disk, datastore, path }: LeftVolume): Promise<void> {
  const store = stores.blockStoreOf({ datastore });
  if (!(store instanceof VolumeGroup)) throw new TypeError(`datastore ${datastore} was not opened`);
  await store.remove({ vm, disk: { name: disk, path } }).catch((error: unknown) => {
    // Whoever can write to the datastore can write the note.
    if (!GodwitError.is(error, "DISK_NOT_OWN")) throw error;
  });
}
