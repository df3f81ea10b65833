/** A VM's folder and disks are created on a datastore, and the VM is entered in the inventory. */
import { vmSchema } from "@godwit/contract";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmCreate: TaskImplementation<"vm.create"> = {
  run: async (context) => {
    const { id, description, host } = context.request;
    const vm = await context.step("create", vmSchema, () =>
      context.ask(host, (link) => link.agent.call("vmCreate", { body: { id, description } })),
    );
    await context.persist(() => context.store.vms.enter(vm, { host, state: "stopped" }));
    return { state: "succeeded", result: { vm: { id, name: vm.name }, host } };
  },
};
