/** Task: a VM's folder and disks are made on a datastore, and the VM is entered in the inventory. */
import { nameSchema, vmDescriptionSchema, vmIdSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const createVmRequest = z.object({
  id: vmIdSchema,
  description: vmDescriptionSchema,
  host: nameSchema,
});

export async function createVm(context: TaskContext): Promise<TaskEnd> {
  const { id, description, host } = createVmRequest.parse(context.request);
  await context.step(`create the VM's folder and disks on ${description.datastore}`, async () => {
    const vm = await context.ask(host, (link) => link.agent.call("vmCreate", { body: { id, description } }));
    await context.persist(() => context.store.vms.enter(vm, { host, state: "stopped" }));
  });
  return { state: "succeeded" };
}
