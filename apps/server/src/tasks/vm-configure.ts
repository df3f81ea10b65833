/** What is asked of a VM's CPU is written to its folder. */
import { vmSchema } from "@godwit/contract";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmConfigure: TaskImplementation<"vm.configure"> = {
  run: async (context) => {
    const { vm, host, datastore, cpu } = context.request;
    const config = await context.step("write", vmSchema, () =>
      context.ask(host, (link) =>
        link.agent.call("vmConfigure", {
          params: { vmId: vm.id },
          body: { datastore, name: vm.name, cpuWish: cpu },
        }),
      ),
    );
    await context.persist(() => context.store.vms.saveConfig(config));
    return { state: "succeeded", result: null };
  },
};
