/** A snapshot of a VM is created by its host. */
import { vmSchema } from "@godwit/contract";
import { keepingDescription } from "./keep-description.ts";
import type { TaskImplementation } from "./task-implementation.ts";

/** Memory is written to the storage. An agent that is gone is noticed sooner. */
const limitMs = 12 * 3600 * 1000;

export const vmCreateSnapshot: TaskImplementation<"vm.createSnapshot"> = {
  run: async (context) => {
    const { vm, host, home: datastore, snapshot } = context.request;
    const body = { datastore, name: vm.name, snapshot };
    const config = await keepingDescription(context, context.request, () =>
      context.step("create", vmSchema, () =>
        context.ask(host, (link) =>
          link.agent.call("vmSnapshotCreate", { params: { vmId: vm.id }, body }, { timeoutMs: limitMs }),
        ),
      ),
    );
    await context.persist(() => context.store.vms.saveConfig(config));
    return { state: "succeeded", result: { snapshot: snapshot.name } };
  },
};
