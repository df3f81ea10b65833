/** A stopped VM's folder and disks are deleted, and the VM leaves the inventory. */
import { z } from "zod";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmDelete: TaskImplementation<"vm.delete"> = {
  run: async (context) => {
    const { vm, datastore, host, disks } = context.request;
    await context.step("delete", z.null(), async () => {
      await context.ask(host, (link) =>
        link.agent.call("vmDelete", { params: { datastore, name: vm.name }, query: { disks } }),
      );
      return null;
    });
    await context.persist(() => context.store.vms.remove(vm.id, context.id));
    return { state: "succeeded", result: null };
  },
};
