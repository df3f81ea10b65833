/** A VM's vCPUs are stopped. Asking its host again changes nothing. */
import { vmRuntimeSchema } from "@godwit/contract";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmPause: TaskImplementation<"vm.pause"> = {
  run: async (context) => {
    const { host, vm } = context.request;
    const { state, pauseReason } = await context.step("pause", vmRuntimeSchema, () =>
      context.ask(host, (link) => link.agent.call("vmPause", { params: { vmId: vm.id } })),
    );
    await context.persist(() => context.store.vms.place(vm.id, { host, state, pauseReason }));
    return { state: "succeeded", result: { host, state } };
  },
};
