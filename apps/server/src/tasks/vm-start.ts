/**
 * A VM is powered on at a host. Once the agent has answered that it runs it is not started again: it may have powered
 * itself off by the time that a server takes the task up again.
 */
import { spokenProtocol, vmInVersion, vmSchema, vmStateSchema } from "@godwit/contract";
import { z } from "zod";
import { mustHaveOwnMacs } from "./own-macs.ts";
import type { TaskImplementation } from "./task-implementation.ts";

const startedSchema = z.object({ vm: vmSchema, state: vmStateSchema });

export const vmStart: TaskImplementation<"vm.start"> = {
  run: async (context) => {
    const { host } = context.request;
    const { store } = context;
    const vmId = context.request.vm.id;
    const { vm, state } = await context.step("start", startedSchema, async () => {
      const { config } = await context.persist(() => store.vms.show(vmId));
      await mustHaveOwnMacs(context, config);
      const baseline = await context.persist(() => store.pools.baselineAt(host));
      const ownUser = await context.persist(() => store.vmUsers.mayBeOwn(host));
      const started = await context.ask(host, (link) => {
        const vm = vmInVersion(config, link.agent.peer?.protocol.newest ?? spokenProtocol.newest);
        const body = { vm, baseline, ...(ownUser ? { ownUser } : {}) };
        return link.agent.call("vmStart", { params: { vmId }, body });
      });
      return { vm: started.vm, state: started.runtime.state };
    });
    await context.persist(() => store.vms.saveConfig(vm));
    await context.persist(() => store.vms.place(vmId, { host, state }));
    return { state: "succeeded", result: { host, state } };
  },
};
