/** A VM is powered off. */
import { z } from "zod";
import type { TaskImplementation } from "./task-implementation.ts";

/** Beyond the grace time: ending QEMU, and giving the lease back. */
const marginMs = 30_000;

export const vmStop: TaskImplementation<"vm.stop"> = {
  run: async (context) => {
    const { host, graceSeconds } = context.request;
    const vmId = context.request.vm.id;
    const leaseKept = await context.step("stop", z.string().nullable(), async () => {
      const answer = await context.ask(host, (link) =>
        link.agent.call(
          "vmStop",
          { params: { vmId }, body: { graceSeconds } },
          { timeoutMs: graceSeconds * 1000 + marginMs },
        ),
      );
      return answer.leaseKept;
    });
    await context.persist(() => context.store.vms.place(vmId, { host, state: "stopped" }));
    return { state: "succeeded", result: { leaseKept } };
  },
};
