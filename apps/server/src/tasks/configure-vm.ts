/** Task: what is asked of a VM's CPU is written to its folder; it holds from its next power-on. */
import { cpuRequestSchema, nameSchema, vmIdSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const configureVmRequest = z.object({
  vmId: vmIdSchema,
  host: nameSchema,
  datastore: nameSchema,
  name: nameSchema,
  cpuWish: cpuRequestSchema.nullable(),
});

export async function configureVm(context: TaskContext): Promise<TaskEnd> {
  const { vmId, host, datastore, name, cpuWish } = configureVmRequest.parse(context.request);
  await context.step("write the VM's description", async () => {
    const vm = await context.ask(host, (link) =>
      link.agent.call("vmConfigure", { params: { vmId }, body: { datastore, name, cpuWish } }),
    );
    await context.persist(() => context.store.vms.saveConfig(vm));
  });
  return { state: "succeeded" };
}
