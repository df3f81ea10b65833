/**
 * The files of leases on a datastore: one lockspace, in which each host has a lease of its own, and one file in
 * each VM's folder. A file is created complete: it is formatted under another name and then linked, so a lease
 * that is in use is never formatted again. A lease that was broken has a successor with a
 * greater number; only the greatest counts.
 */
import { randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, type VmId } from "@godwit/contract";
import { readFileOrNull, syncFolder } from "@godwit/system";
import type { Datastore } from "../datastore.ts";
import type { LeasePlace } from "./sanlock-resource.ts";
import type { Sanlock } from "./sanlock.ts";

const lockspaceFile = ".godwit-leases";
const leasePattern = /^lease-(\d+)$/;
const revokedPattern = /^lease-\d+\.revoked$/;

/** A VM as its lease needs to know it. */
export interface LeasedVm {
  id: VmId;
  name: string;
  datastore: string;
}

/** Storage with a lockspace on it, as `Lockspace` needs it. */
export interface LockspaceStorage {
  /** Of the datastore. */
  name: string;
  /** Where the lockspace is, or will be. */
  place: LeasePlace;
  /** That it is still that storage. @throws what is wrong with the datastore */
  verify: () => Promise<void>;
  /** The lockspace is there when this returns. @throws SANLOCK_UNAVAILABLE, PROGRAM_FAILED, DATASTORE_UNAVAILABLE */
  provide: (sanlock: Sanlock, ioTimeoutSeconds: number) => Promise<LeasePlace>;
  /** This host has left the lockspace. */
  left: () => Promise<void>;
}

export const lockspaceStorage = (datastore: Datastore): LockspaceStorage => ({
  name: datastore.config.name,
  place: lockspacePlace(datastore),
  verify: () => datastore.verify(),
  provide: (sanlock, ioTimeoutSeconds) => lockspaceOf(datastore, sanlock, ioTimeoutSeconds),
  left: () => Promise.resolve(),
});

async function lockspaceOf(
  datastore: Datastore,
  sanlock: Sanlock,
  ioTimeoutSeconds: number,
): Promise<LeasePlace> {
  const place = lockspacePlace(datastore);
  if ((await fileNames(datastore.config.path)).includes(lockspaceFile)) return place;
  await createOnce(place.path, (path) => sanlock.initLockspace({ ...place, path }, ioTimeoutSeconds));
  return place;
}

const lockspacePlace = (datastore: Datastore): LeasePlace => ({
  lockspace: datastore.id,
  path: datastore.resolve(lockspaceFile),
});

/** The file of a VM's lease that counts now, made if there is none. @throws VM_UNKNOWN when its folder is not there */
export async function leaseOf(datastore: Datastore, vm: LeasedVm, sanlock: Sanlock): Promise<LeasePlace> {
  const number = await newest(datastore, vm);
  if (number !== null) return placeOf(datastore, vm, number);
  return await makeLease(datastore, vm, 1, sanlock);
}

/** The file that counts now; null where there is none. */
export async function leaseOrNull(datastore: Datastore, vm: LeasedVm): Promise<LeasePlace | null> {
  const number = await newest(datastore, vm);
  return number === null ? null : placeOf(datastore, vm, number);
}

/** Creates the successor of a lease: what the old one grants does not count any more. */
export async function createSuccessor(
  datastore: Datastore,
  vm: LeasedVm,
  lease: LeasePlace,
  sanlock: Sanlock,
): Promise<LeasePlace> {
  return await makeLease(datastore, vm, numberOf(lease.path) + 1, sanlock);
}

/** Which one of a VM's leases it is, from 1. */
export const leaseNumberOf = ({ path }: Pick<LeasePlace, "path">): number => numberOf(path);

/** Which one of a VM's leases a file is, from 1. */
export function numberOf(path: string): number {
  return Number(leasePattern.exec(path.split("/").at(-1) ?? "")?.[1] ?? 0);
}

/** Removes the leases of a VM that is deleted. */
export async function removeLeases(datastore: Datastore, name: string): Promise<void> {
  const folder = datastore.resolve(name);
  for (const file of await fileNames(folder)) {
    if (leasePattern.test(file) || revokedPattern.test(file)) await rm(join(folder, file), { force: true });
  }
}

async function newest(datastore: Datastore, vm: LeasedVm): Promise<number | null> {
  const numbers = (await fileNames(datastore.resolve(vm.name))).flatMap((file) => {
    const match = leasePattern.exec(file);
    return match === null ? [] : [Number(match[1])];
  });
  return numbers.length === 0 ? null : Math.max(...numbers);
}

async function makeLease(
  datastore: Datastore,
  vm: LeasedVm,
  number: number,
  sanlock: Sanlock,
): Promise<LeasePlace> {
  const folder = datastore.resolve(vm.name);
  if ((await readFileOrNull(join(folder, "vm.json"))) === null)
    throw GodwitError.of("VM_UNKNOWN", { vm: vm.name });
  const place = placeOf(datastore, vm, number);
  await createOnce(place.path, (path) => sanlock.initResource({ ...place, path }));
  return place;
}

const placeOf = (datastore: Datastore, vm: LeasedVm, number: number): LeasePlace => ({
  lockspace: datastore.id,
  resource: vm.id,
  path: datastore.resolve(join(vm.name, `lease-${String(number)}`)),
});

/** Makes a file whole under another name; only the first of those who do it at once gives it its own name. */
async function createOnce(path: string, format: (path: string) => Promise<void>): Promise<void> {
  const folder = join(path, "..");
  await mkdir(folder, { recursive: true });
  const beside = `${path}.${randomUUID()}`;
  try {
    await (await open(beside, "wx", 0o600)).close();
    await format(beside);
    await link(beside, path);
    await syncFolder(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    await rm(beside, { force: true });
  }
}

async function fileNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
