/** What an interrupted move of a disk has left of a VM that does not run here. The caller has its exclusive lease. */
import type { Vm } from "@godwit/contract";
import { endRelocation, readRelocation } from "@godwit/storage";
import type { Environment } from "./environment.ts";

/** Removes the image that `vm.json` does not name. */
export async function tidyRelocation(
  environment: Pick<Environment, "datastore" | "datastoresOf">,
  vm: Vm,
): Promise<void> {
  const left = await readRelocation(await environment.datastore(vm.datastore), vm.name);
  if (left === null) return;
  const stores = await environment.datastoresOf(vm, [left.from.datastore, left.to.datastore]);
  await endRelocation(stores, vm, left);
}
