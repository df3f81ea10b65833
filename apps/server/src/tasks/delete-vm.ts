/** Task: a stopped VM's folder and disks are deleted, and the VM leaves the inventory. */
import { nameSchema, vmIdSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const deleteVmRequest = z.object({
  vmId: vmIdSchema,
  name: nameSchema,
  datastore: nameSchema,
  host: nameSchema,
});

export async function deleteVm(context: TaskContext): Promise<TaskEnd> {
  const { vmId, name, datastore, host } = deleteVmRequest.parse(context.request);
  await context.step(`delete the VM's folder and disks on ${datastore}`, async () => {
    await context.ask(host, (link) => link.agent.call("vmDelete", { params: { datastore, name } }));
    await context.persist(() => context.store.vms.remove(vmId));
  });
  return { state: "succeeded" };
}
