/** The VMs whose folders lie on a datastore. One that cannot be read is told with the reason, and hides no other. */
import { readdir } from "node:fs/promises";
import { GodwitError, type Vm } from "@godwit/contract";
import type { Datastore } from "./datastore.ts";
import { readVmFile } from "./vm-file.ts";

export interface VmFolders {
  vms: Vm[];
  unreadable: { datastore: string; name: string; reason: string }[];
}

const atOnce = 16;

export async function listVmFolders(datastore: Datastore): Promise<VmFolders> {
  const entries = await readdir(datastore.resolve("."), { withFileTypes: true });
  const names = entries.flatMap((entry) =>
    entry.isDirectory() && !entry.name.startsWith(".") ? [entry.name] : [],
  );
  const found: VmFolders = { vms: [], unreadable: [] };
  const waiting = names.sort().values();
  const readOneByOne = async () => {
    for (const name of waiting) {
      try {
        const vm = await readVmFile(datastore, name);
        if (vm !== null) found.vms.push(vm);
      } catch (error) {
        const reason = GodwitError.is(error) ? error.problem.detail : (error as Error).message;
        found.unreadable.push({ datastore: datastore.config.name, name, reason });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readOneByOne));
  return found;
}
