/** A stopped VM's host becomes another one. */
import { z } from "zod";
import type { TaskImplementation } from "./task-implementation.ts";

export const vmRelocate: TaskImplementation<"vm.relocate"> = {
  run: async (context) => {
    const { vm, to } = context.request;
    await context.step("enter", z.null(), async () => {
      await context.persist(() => context.store.vms.place(vm.id, { host: to, state: "stopped" }));
      return null;
    });
    return { state: "succeeded", result: { host: to } };
  },
};
