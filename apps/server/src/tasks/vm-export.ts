/** A stopped VM is exported by its host. */
import { vmExportedSchema } from "@godwit/contract";
import { showCopies } from "./show-copies.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Disks are converted. An agent that is gone is noticed sooner. */
const exportLimitMs = 12 * 3600 * 1000;

export const vmExport: TaskImplementation<"vm.export"> = {
  run: async (context) => {
    const { vm, home: datastore, host, to } = context.request;
    using _copies = showCopies(context, host, vm.id);
    const exported = await context.step("export", vmExportedSchema, () =>
      context.ask(host, (link) =>
        link.agent.call(
          "vmExport",
          { params: { vmId: vm.id }, body: { id: context.id, datastore, name: vm.name, to } },
          { timeoutMs: exportLimitMs },
        ),
      ),
    );
    await context.change(({ progress }) => (progress === null ? {} : { progress: null }));
    return { state: "succeeded", result: { ...exported, host } };
  },
};
