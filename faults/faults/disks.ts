/** Storage that does not answer, and disks without a free byte. */
import { rm, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Fault, Heal } from "../fault.ts";
import { sleep } from "@godwit/system";

const unreachableMs = 5000;
const fullMs = 5000;

const storageUnreachable: Fault = {
  name: "storage-unreachable",
  inject: async ({ lab }): Promise<Heal> => {
    await lab.lab.freezeStorage();
    return async () => {
      await sleep(unreachableMs);
      await lab.lab.thawStorage();
    };
  },
};

/** The disk with the journals of a host. */
const diskFull = (role: "source" | "destination"): Fault => ({
  name: `full-${role}`,
  inject: async (scene): Promise<Heal> => {
    const folder = scene.lab.lab.host(scene[role]).stateFolder;
    const filler = join(folder, "filler");
    const { bavail, bsize } = await statfs(folder);
    await writeFile(filler, Buffer.alloc(bavail * bsize));
    return async () => {
      await sleep(fullMs);
      await rm(filler);
    };
  },
});

export const diskFaults: readonly Fault[] = [storageUnreachable, diskFull("source"), diskFull("destination")];
