/**
 * A VM is powered on at a host. Once the agent has answered that it runs it is not started again: it may have powered
 * itself off by the time that a server takes the task up again.
 */
import { pauseReasonSchema, spokenProtocol, vmInVersion, vmSchema, vmStateSchema } from "@godwit/contract";
import { z } from "zod";
import { mustHaveOwnMacs } from "./own-macs.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** An agent that is gone is noticed sooner. */
const loadLimitMs = 12 * 3600 * 1000;

const startedSchema = z.object({
  vm: vmSchema,
  state: vmStateSchema,
  /** Of a VM that was paused when it was suspended. */
  pauseReason: pauseReasonSchema.nullable().default(null),
});

export const vmStart: TaskImplementation<"vm.start"> = {
  run: async (context) => {
    const { host, discardMemory } = context.request;
    const { store } = context;
    const vmId = context.request.vm.id;
    const { vm, state, pauseReason } = await context.step("start", startedSchema, async () => {
      const { config } = await context.persist(() => store.vms.show(vmId));
      await mustHaveOwnMacs(context, config);
      const baseline = await context.persist(() => store.pools.baselineAt(host));
      const ownUser = await context.persist(() => store.vmUsers.mayBeOwn(host));
      const pluggable = await context.persist(() => store.vmUsers.areAllAble(host, "devices"));
      const started = await context.ask(host, (link) => {
        const vm = vmInVersion(config, link.agent.peer?.protocol.newest ?? spokenProtocol.newest);
        const body = {
          ...{ vm, baseline },
          ...(ownUser ? ({ ownUser } as const) : {}),
          ...(pluggable ? ({ pluggable } as const) : {}),
          ...(discardMemory === undefined ? {} : { discardMemory }),
        };
        // A memory that was saved is read from the storage.
        const options = config.suspension === undefined ? {} : { timeoutMs: loadLimitMs };
        return link.agent.call("vmStart", { params: { vmId }, body }, options);
      });
      const { state, pauseReason } = started.runtime;
      return { vm: started.vm, state, pauseReason };
    });
    await context.persist(() => store.vms.saveConfig(vm));
    await context.persist(() => store.vms.place(vmId, { host, state, pauseReason }));
    return { state: "succeeded", result: { host, state } };
  },
};
