/** What making a base of a disk has left of a VM that does not run here, where it was cut off. The caller has its exclusive lease. */
import type { Vm } from "@godwit/contract";
import { readFreezing, readVmFile, settleFreezing } from "@godwit/storage";
import type { Environment } from "./environment.ts";

/** Removes the files that `vm.json` does not name. Where that is not there, nothing says what they are, and they stay. */
export async function tidyFreezing(
  environment: Pick<Environment, "datastore" | "datastoresOf">,
  { id, name, datastore }: Pick<Vm, "id" | "name" | "datastore">,
): Promise<void> {
  const home = await environment.datastore(datastore);
  const left = await readFreezing(home, name);
  if (left === null) return;
  const vm = await readVmFile(home, name);
  if (vm?.id !== id) return;
  await settleFreezing(await environment.datastoresOf({ ...vm, disks: [] }, [left.datastore]), vm, left);
}
