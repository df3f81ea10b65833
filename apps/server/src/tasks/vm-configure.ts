/** A VM's description is changed by the host that has it. */
import { vmSchema } from "@godwit/contract";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmConfigure: TaskImplementation<"vm.configure"> = {
  run: async (context) => {
    const { vm, host, datastore, cpu, basis } = context.request;
    const changes = { ...(cpu === undefined ? {} : { cpuWish: cpu }), ...context.request.changes };
    const config = await context.step("write", vmSchema, () =>
      context.ask(host, (link) =>
        link.agent.call("vmConfigure", {
          params: { vmId: vm.id },
          body: { datastore, name: vm.name, changes, ...(basis === undefined ? {} : { basis }) },
        }),
      ),
    );
    await context.persist(() => context.store.vms.saveConfig(config));
    return { state: "succeeded", result: null };
  },
};
