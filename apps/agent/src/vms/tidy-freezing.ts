/** What making a base of a disk has left of a VM that does not run here, where it was cut off. The caller has its exclusive lease. */
import type { Vm } from "@godwit/contract";
import { readFreezing, settleFreezing } from "@godwit/storage";
import type { Environment } from "./environment.ts";

/** Removes the files that `vm.json` does not name. @param vm as `vm.json` has it */
export async function tidyFreezing(
  environment: Pick<Environment, "datastore" | "datastoresOf">,
  vm: Vm,
): Promise<void> {
  const left = await readFreezing(await environment.datastore(vm.datastore), vm.name);
  if (left === null) return;
  await settleFreezing(await environment.datastoresOf(vm, [left.datastore]), vm, left);
}
