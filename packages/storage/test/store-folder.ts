/** A datastore in a folder of its own, which QEMU's user can reach. */
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datastore, markDatastore } from "../src/index.ts";

export interface StoreFolder {
  /** Beside the datastore there is room for other files. */
  base: string;
  folder: string;
  store: Datastore;
}

/** Shared, and called `vms`, as host a sees it. */
export async function storeFolder(): Promise<StoreFolder> {
  const base = await mkdtemp(join(tmpdir(), "godwit-store-"));
  await chmod(base, 0o755);
  const folder = join(base, "store");
  await mkdir(folder);
  const config = { name: "vms", path: folder, shared: true };
  await markDatastore(config, "a");
  return { base, folder, store: await Datastore.open(config, "a") };
}

export const removeStore = async ({ base }: Pick<StoreFolder, "base">): Promise<void> => {
  await rm(base, { recursive: true, force: true });
};
