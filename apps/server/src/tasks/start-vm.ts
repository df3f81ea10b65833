/** Task: a VM is powered on at a host. */
import { nameSchema, vmSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const startVmRequest = z.object({ vm: vmSchema, host: nameSchema });

export async function startVm(context: TaskContext): Promise<TaskEnd> {
  const { vm, host } = startVmRequest.parse(context.request);
  await context.step(`start the VM on ${host}`, async () => {
    const baseline = await context.persist(() => context.store.pools.baselineAt(host));
    const started = await context.ask(host, (link) =>
      link.agent.call("vmStart", { params: { vmId: vm.id }, body: { vm, baseline } }),
    );
    await context.persist(() => context.store.vms.saveConfig(started.vm));
    await context.persist(() => context.store.vms.place(vm.id, { host, state: started.runtime.state }));
  });
  return { state: "succeeded" };
}
