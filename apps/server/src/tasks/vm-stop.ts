/** A VM is powered off. */
import { z } from "zod";
import type { TaskImplementation } from "./task-implementation.ts";

/** Beyond the grace time: ending QEMU, and giving the lease back. */
const marginMs = 30_000;

export const vmStop: TaskImplementation<"vm.stop"> = {
  run: async (context) => {
    const { host, graceSeconds } = context.request;
    const vmId = context.request.vm.id;
    await context.step("stop", z.null(), async () => {
      await context.ask(host, (link) =>
        link.agent.call(
          "vmStop",
          { params: { vmId }, body: { graceSeconds } },
          { timeoutMs: graceSeconds * 1000 + marginMs },
        ),
      );
      return null;
    });
    await context.persist(() => context.store.vms.place(vmId, { host, state: "stopped" }));
    return { state: "succeeded", result: null };
  },
};
