/**
 * A VM's seed: an ISO image in the VM's folder, so that it moves with the VM and goes with it. It may hold secrets, so it
 * and what it is made of can be read by root alone until it is the VM's user's, and nothing of it lies outside of the folder.
 */
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, seedPath, type CloudInit, type VmId } from "@godwit/contract";
import { run, syncFolder, type UndoStack, type UserIds } from "@godwit/system";
import type { Datastore } from "../datastore.ts";
import { seedFiles, seedLabel } from "./seed-files.ts";

export interface SeedToMake {
  id: VmId;
  vm: string;
  cloudInit: CloudInit;
  /** QEMU's. */
  user: UserIds;
  /** Whether a file that is there is of an earlier attempt to make this very VM. */
  isRetry: boolean;
}

/** What the image is made of, in the VM's folder. */
const workFolder = (vm: string): string => `${vm}/.cloud-init`;

/** The VM's folder is there. @throws SEED_EXISTS, PROGRAM_MISSING, PROGRAM_FAILED */
export async function makeSeed(
  datastore: Datastore,
  { id, vm, cloudInit, user, isRetry }: SeedToMake,
  undo: UndoStack,
): Promise<void> {
  const target = datastore.resolve(seedPath(vm));
  if (!isRetry && (await datastore.look(seedPath(vm))) !== "missing")
    throw GodwitError.of("SEED_EXISTS", { vm, path: target });
  const work = datastore.resolve(workFolder(vm));
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { mode: 0o700 });
  try {
    const tree = join(work, "files");
    await mkdir(tree);
    for (const { name, content } of seedFiles({ id, vm }, cloudInit))
      await writeFile(join(tree, name), content);
    const image = join(work, "image");
    await run(
      "xorriso",
      ["-no_rc", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", seedLabel, "-o", image, tree],
      {
        what: `making the cloud-init image of VM ${vm}`,
      },
    );
    await close(image, user);
    await rename(image, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  undo.push("remove the cloud-init image", () => rm(target, { force: true }));
  await syncFolder(datastore.resolve(vm));
}

/** Also what a crash has left of its making. */
export async function removeSeed(datastore: Datastore, vm: string): Promise<void> {
  if ((await datastore.look(seedPath(vm))) === "file")
    await rm(datastore.resolve(seedPath(vm)), { force: true });
  await rm(datastore.resolve(workFolder(vm)), { recursive: true, force: true });
}

/** For its owner alone. */
async function close(path: string, { uid, gid }: UserIds): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.chmod(0o600);
    await file.chown(uid, gid);
    await file.sync();
  } finally {
    await file.close();
  }
}
