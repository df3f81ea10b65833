/** A snapshot of a VM is deleted by its host. */
import { vmSchema } from "@godwit/contract";
import { keepingDescription } from "./keep-description.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** The tables of large images are written again. An agent that is gone is noticed sooner. */
const limitMs = 12 * 3600 * 1000;

export const vmDeleteSnapshot: TaskImplementation<"vm.deleteSnapshot"> = {
  run: async (context) => {
    const { vm, host, home: datastore, snapshot } = context.request;
    const body = { datastore, name: vm.name, id: snapshot.id };
    const config = await keepingDescription(context, context.request, () =>
      context.step("delete", vmSchema, () =>
        context.ask(host, (link) =>
          link.agent.call("vmSnapshotDelete", { params: { vmId: vm.id }, body }, { timeoutMs: limitMs }),
        ),
      ),
    );
    await context.persist(() => context.store.vms.saveConfig(config));
    return { state: "succeeded", result: { snapshot: snapshot.name } };
  },
};
