/** A stopped VM is copied by its host, and the copy is entered in the inventory. */
import { vmSchema } from "@godwit/contract";
import { showCopies } from "./show-copies.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Disks are copied. An agent that is gone is noticed sooner. */
const copyLimitMs = 12 * 3600 * 1000;

export const vmClone: TaskImplementation<"vm.clone"> = {
  run: async (context) => {
    const { vm, home: datastore, host, copy } = context.request;
    using _copies = showCopies(context, host, copy.id);
    const config = await context.step("copy", vmSchema, () =>
      context.ask(host, (link) =>
        link.agent.call(
          "vmClone",
          { params: { vmId: vm.id }, body: { datastore, name: vm.name, copy } },
          { timeoutMs: copyLimitMs },
        ),
      ),
    );
    await context.change(({ progress }) => (progress === null ? {} : { progress: null }));
    await context.persist(() => context.store.vms.enter(config, { host, state: "stopped" }));
    return { state: "succeeded", result: { vm: { id: config.id, name: config.name }, host } };
  },
};
