/** A stopped VM's folder and disks are deleted, and the VM leaves the inventory. */
import { keptBecause, keptDiskSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskImplementation } from "./task-implementation.ts";

const keptSchema = z.array(keptDiskSchema);

export const vmDelete: TaskImplementation<"vm.delete"> = {
  run: async (context) => {
    const { vm, datastore, host, disks } = context.request;
    const kept = await context.step("kept", keptSchema, async () => {
      const { config } = await context.persist(() => context.store.vms.show(vm.id));
      return config.disks.flatMap((disk) => {
        const because = keptBecause(disk, disks ?? "made");
        return because === null ? [] : [{ path: disk.path, datastore: disk.datastore, because }];
      });
    });
    await context.step("delete", z.null(), async () => {
      await context.ask(host, (link) =>
        link.agent.call("vmDelete", { params: { datastore, name: vm.name }, query: { disks } }),
      );
      return null;
    });
    await context.persist(() => context.store.vms.remove(vm.id, context.id));
    return { state: "succeeded", result: { kept } };
  },
};
