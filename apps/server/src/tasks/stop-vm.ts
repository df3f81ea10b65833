/** Task: a VM is powered off. */
import { nameSchema, vmIdSchema } from "@godwit/contract";
import { z } from "zod";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const stopVmRequest = z.object({ vmId: vmIdSchema, host: nameSchema, graceSeconds: z.int() });

export async function stopVm(context: TaskContext): Promise<TaskEnd> {
  const { vmId, host, graceSeconds } = stopVmRequest.parse(context.request);
  await context.step(`stop the VM on ${host}`, async () => {
    await context.ask(host, (link) =>
      link.agent.call(
        "vmStop",
        { params: { vmId }, body: { graceSeconds } },
        { timeoutMs: graceSeconds * 1000 + 30_000 },
      ),
    );
    await context.persist(() => context.store.vms.place(vmId, { host, state: "stopped" }));
  });
  return { state: "succeeded" };
}
