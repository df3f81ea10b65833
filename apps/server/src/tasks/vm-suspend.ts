/** A VM is suspended to disk by its host. Cut off, it is paused there, or is suspended already. Cancelled before that, its guest runs on. */
import { GodwitError, vmSchema } from "@godwit/contract";
import { z } from "zod";
import { keepingDescription } from "./keep-description.ts";
import { showCopies } from "./show-copies.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"vm.suspend">;

/** Memory is written to the storage. An agent that is gone is noticed sooner. */
const limitMs = 12 * 3600 * 1000;
/** Of a host that is silent, which may be dead: then its VMs are started elsewhere. An agent that is started again answers sooner. */
const giveUpMs = 90_000;
const lookAgainMs = 2000;

const suspendedSchema = z.object({
  vm: vmSchema,
  bytes: z.int().min(0),
  leaseKept: z.string().nullable(),
});

export const vmSuspend: TaskImplementation<"vm.suspend"> = {
  run: async (context) => {
    const { vm, host } = context.request;
    using _copies = showCopies(context, host, vm.id);
    try {
      const {
        vm: config,
        bytes,
        leaseKept,
      } = await keepingDescription(context, context.request, () =>
        context.step("suspend", suspendedSchema, () => suspend(context)),
      );
      await context.change(({ progress }) => ({
        cancellable: false,
        ...(progress === null ? {} : { progress: null }),
      }));
      await context.persist(() => context.store.vms.saveConfig(config));
      await context.persist(() => context.store.vms.place(vm.id, { host, state: "stopped" }));
      return { state: "succeeded", result: { host, bytes, leaseKept } };
    } catch (error) {
      if (!GodwitError.is(error, "SUSPEND_CANCELLED")) throw error;
      return { state: "cancelled", problem: error.problem };
    }
  },

  /** `run` tells the host, and the task ends when the guest goes on there, or is suspended: then it was too late. */
  cancel: async (context) => {
    const { host } = context.request;
    if (!(await canCancel(context))) {
      const reason = `the agent of host ${host} is of an earlier version`;
      const { state } = await context.store.tasks.show(context.id);
      throw GodwitError.of("TASK_NOT_CANCELLABLE", { task: context.id, state, reason });
    }
    return await context.change(() => ({ state: "cancelling", cancellable: false }));
  },
};

/** An agent of an earlier version knows no tasks: it could take a late cancellation for one of the VM's next suspension. */
async function canCancel({ store, request: { host } }: Context): Promise<boolean> {
  const { facts } = await store.hosts.show(host);
  return facts?.abilities?.includes("cancelSuspension") === true;
}

async function suspend(context: Context): Promise<z.output<typeof suspendedSchema>> {
  const { vm, host, home } = context.request;
  const task = (await context.persist(() => canCancel(context))) ? { task: context.id } : {};
  const order = { params: { vmId: vm.id }, body: { datastore: home, name: vm.name, ...task } };
  const isCancelling = async () =>
    (await context.persist(() => context.store.tasks.show(context.id))).state === "cancelling";
  using changes = context.watchTasks(({ id, state }) => id === context.id && state === "cancelling");
  const suspending = context.ask(
    host,
    async ({ agent }) => {
      // One that is cancelled is not started, also where the answer was lost.
      if ((await isCancelling()) && (await agent.call("vmSuspendCancel", order)).cancelled)
        throw GodwitError.of("SUSPEND_CANCELLED", { vm: vm.name, host });
      return await agent.call("vmSuspend", order, { timeoutMs: limitMs });
    },
    { silentMs: giveUpMs, givenUp: () => GodwitError.of("SUSPEND_UNKNOWN", { vm: vm.name, host }) },
  );
  const ended = suspending.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, changes.next(lookAgainMs).then(() => false)]))) {
    if (!(await isCancelling())) continue;
    // Again until it has ended: the host may not have started when it was asked first.
    await context.hosts
      .of(host)
      .agent.call("vmSuspendCancel", order)
      .catch((error: unknown) => {
        context.log.info({ err: error }, "the cancellation waits for the host");
      });
  }
  return await suspending;
}
