/** A VM's folder and disks are created on a datastore, and the VM is entered in the inventory. */
import { GodwitError, vmSchema } from "@godwit/contract";
import { showCopies } from "./show-copies.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Images are copied. An agent that is gone is noticed sooner. */
const copyLimitMs = 12 * 3600 * 1000;

export const vmCreate: TaskImplementation<"vm.create"> = {
  run: async (context) => {
    const { id, description, host, cloudInit: summary } = context.request;
    using kept = context.cloudInit.of(id);
    const cloudInit = summary === undefined ? {} : { cloudInit: kept.value };
    using _copies = showCopies(context, host, id);
    const vm = await context.step("create", vmSchema, () =>
      context.ask(host, (link) =>
        link.agent.call("vmCreate", { body: { id, description, ...cloudInit } }, { timeoutMs: copyLimitMs }),
      ),
    );
    await context.change(({ progress }) => (progress == null ? {} : { progress: null }));
    const enter = () => context.store.vms.enter(vm, { host, state: "stopped" });
    await context.persist(enter).catch(async (error: unknown) => {
      // Another VM took the LUN meanwhile: what was made is of no use.
      if (GodwitError.is(error, "DISK_USED_BY_VM")) {
        const params = { datastore: vm.datastore, name: vm.name };
        await context.ask(host, (link) => link.agent.call("vmDelete", { params, query: { disks: "made" } }));
      }
      throw error;
    });
    return { state: "succeeded", result: { vm: { id, name: vm.name }, host } };
  },
};
