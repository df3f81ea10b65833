/**
 * A VM is powered on at a host. Once the agent has answered that it runs it is not started again: it may have powered
 * itself off by the time that a server takes the task up again.
 */
import {
  GodwitError,
  hasProcess,
  spokenProtocol,
  vmInVersion,
  vmSchema,
  vmStateSchema,
  type Vm,
} from "@godwit/contract";
import { macConflict } from "@godwit/placement";
import { z } from "zod";
import type { TaskContext } from "./task-context.ts";
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

/** Of two that are started at once, the one whose task was entered later is refused. @throws MAC_IN_USE */
async function mustHaveOwnMacs(context: TaskContext<"vm.start">, vm: Vm): Promise<void> {
  if (vm.nics.length === 0) return;
  const { id, store } = context;
  const [vms, tasks] = await context.persist(() => Promise.all([store.vms.list(), store.tasks.unfinished()]));
  const own = tasks.findIndex((task) => task.id === id);
  const starting = new Set(
    tasks.slice(0, own).flatMap(({ kind, subject }) => (kind === "vm.start" ? [subject.id] : [])),
  );
  const conflict = macConflict(
    vm,
    vms.filter((one) => hasProcess(one) || starting.has(one.id)),
  );
  if (conflict !== null) throw GodwitError.of("MAC_IN_USE", { vm: vm.name, ...conflict, otherRuns: true });
}
