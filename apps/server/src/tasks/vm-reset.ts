/** A VM is reset. Once that was asked for it is not asked again: a second reset would end what the guest has started since. */
import { vmRuntimeSchema } from "@godwit/contract";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmReset: TaskImplementation<"vm.reset"> = {
  run: async (context) => {
    const { host, vm, hang } = context.request;
    const { state, pauseReason } = await context.step("reset", vmRuntimeSchema, () =>
      context.ask(host, (link) =>
        link.agent.call("vmReset", {
          params: { vmId: vm.id },
          body: { id: context.id, unlessItAnswers: hang !== undefined },
        }),
      ),
    );
    await context.persist(() => context.store.vms.place(vm.id, { host, state, pauseReason }));
    return { state: "succeeded", result: { host, state } };
  },
};
