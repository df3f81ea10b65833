/** Task: a stopped VM's home becomes another host. Its files lie on shared storage: nothing is copied. */
import { nameSchema, vmIdSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const relocateVmRequest = z.object({ vmId: vmIdSchema, to: nameSchema });

export async function relocateVm(context: TaskContext): Promise<TaskEnd> {
  const { vmId, to } = relocateVmRequest.parse(context.request);
  await context.step(`enter ${to} as the VM's host`, async () => {
    await context.persist(() => context.store.vms.place(vmId, { host: to, state: "stopped" }));
  });
  return { state: "succeeded" };
}
