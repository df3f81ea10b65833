/** A stopped VM is copied by its host, and the copy is entered in the inventory. It can be cancelled while disks are copied. */
import { GodwitError, vmSchema } from "@godwit/contract";
import { cancellableCall } from "./cancellable-call.ts";
import { keepDescription, keepingDescription } from "./keep-description.ts";
import { showCopies } from "./show-copies.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Disks are copied. An agent that is gone is noticed sooner. */
const timeoutMs = 12 * 3600 * 1000;

export const vmClone: TaskImplementation<"vm.clone"> = {
  run: async (context) => {
    const { vm, home: datastore, host, copy } = context.request;
    using _copies = showCopies(context, host, copy.id);
    const order = { params: { vmId: vm.id }, body: { datastore, name: vm.name, copy } };
    const make = () =>
      context.ask(host, ({ agent }) =>
        cancellableCall(
          context,
          () => agent.call("vmClone", order, { timeoutMs }),
          () => agent.call("vmCloneCancel", order),
        ),
      );
    const config = await context
      .step("copy", vmSchema, () =>
        copy.linked === true ? keepingDescription(context, { vm, host, home: datastore }, make) : make(),
      )
      .catch((error: unknown) => {
        if (GodwitError.is(error, "VM_CLONE_CANCELLED")) return error;
        throw error;
      });
    await context.change(({ progress }) => (progress === null ? {} : { progress: null }));
    if (GodwitError.is(config)) return { state: "cancelled", problem: config.problem };
    // Its disks have bases now.
    if (copy.linked === true) await keepDescription(context, { vm, host, home: datastore });
    await context.persist(() => context.store.vms.enter(config, { host, state: "stopped" }));
    return { state: "succeeded", result: { vm: { id: config.id, name: config.name }, host } };
  },

  /** `run` tells the host, and the task ends when nothing is left of the copy. */
  cancel: async (context) => {
    const { host } = context.request;
    const { facts } = await context.store.hosts.show(host);
    if (facts?.abilities?.includes("cloneVolumes") !== true) {
      const reason = `the agent of host ${host} is of an earlier version`;
      const { state } = await context.store.tasks.show(context.id);
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: context.id, state, reason });
    }
    return await context.change(() => ({ state: "cancelling", cancellable: false }));
  },
};
