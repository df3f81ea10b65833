/**
 * A VM is powered off, becomes what it was at a snapshot and, with memory, goes on from there. It is powered off only after what can be
 * known before says that it can be reverted to. Cut off after that it is stopped; its disks are of then, of now, or
 * completed to those of then at its next start, and never mixed.
 */
import { hasProcess, vmSchema, vmStateSchema, type Vm } from "@godwit/contract";
import { z } from "zod";
import { keepingDescription } from "./keep-description.ts";
import { mustHaveOwnMacs } from "./own-macs.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"vm.revertToSnapshot">;

const stopLimitMs = 60_000;
/** The tables of large images are written again, or memory is read. An agent that is gone is noticed sooner. */
const limitMs = 12 * 3600 * 1000;

const startedSchema = z.object({ vm: vmSchema, state: vmStateSchema });

export const vmRevertToSnapshot: TaskImplementation<"vm.revertToSnapshot"> = {
  run: async (context) => {
    const { snapshot, withMemory } = context.request;
    await stop(context);
    const config = await revert(context);
    if (!withMemory) return { state: "succeeded", result: { snapshot: snapshot.name, state: "stopped" } };
    const state = await goOn(context, config);
    return { state: "succeeded", result: { snapshot: snapshot.name, state } };
  },
};

async function stop(context: Context): Promise<void> {
  const { vm, host, snapshot, withMemory } = context.request;
  await context.step("stop", z.null(), async () => {
    const now = await context.persist(() => context.store.vms.show(vm.id));
    const then = now.config.snapshots?.find(({ id }) => id === snapshot.id);
    if (withMemory && then !== undefined)
      await mustHaveOwnMacs(context, { ...now.config, nics: then.vm.nics });
    if (!hasProcess(now)) return null;
    await context.ask(host, (link) =>
      link.agent.call(
        "vmStop",
        { params: { vmId: vm.id }, body: { graceSeconds: 0 } },
        { timeoutMs: stopLimitMs },
      ),
    );
    return null;
  });
  await context.persist(() => context.store.vms.place(vm.id, { host, state: "stopped" }));
}

async function revert(context: Context): Promise<Vm> {
  const { vm, host, home: datastore, snapshot, withMemory } = context.request;
  const body = { datastore, name: vm.name, id: snapshot.id, withMemory };
  const config = await keepingDescription(context, context.request, () =>
    context.step("revert", vmSchema, () =>
      context.ask(host, (link) =>
        link.agent.call("vmSnapshotRevert", { params: { vmId: vm.id }, body }, { timeoutMs: limitMs }),
      ),
    ),
  );
  await context.persist(() => context.store.vms.saveConfig(config));
  return config;
}

async function goOn(context: Context, config: Vm) {
  const { vm, host, snapshot } = context.request;
  const { store } = context;
  const { vm: started, state } = await context.step("start", startedSchema, async () => {
    const baseline = await context.persist(() => store.pools.baselineAt(host));
    const ownUser = await context.persist(() => store.vmUsers.mayBeOwn(host));
    const body = { vm: config, baseline, ...(ownUser ? { ownUser } : {}), memoryOf: snapshot.id };
    const started = await context.ask(host, (link) =>
      link.agent.call("vmStart", { params: { vmId: vm.id }, body }, { timeoutMs: limitMs }),
    );
    return { vm: started.vm, state: started.runtime.state };
  });
  await context.persist(() => store.vms.saveConfig(started));
  await context.persist(() => store.vms.place(vm.id, { host, state }));
  return state;
}
