/**
 * Disks of a VM come to lie on another datastore. The VM's host does it; whatever ends on the way, it is asked again and goes on,
 * or is asked to undo what it has started. What the VM then is, is read from there and kept: also when only some disks have moved.
 */
import { GodwitError, type Vm } from "@godwit/contract";
import { z } from "zod";
import { showCopies } from "./show-copies.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskEnd, TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"vm.relocateDisks">;

/** Of large disks on slow storage. An agent that is gone is noticed sooner. */
const copyLimitMs = 7 * 24 * 3600 * 1000;
const lookAgainMs = 2000;
/** An agent that is started again answers sooner. */
const giveUpMs = 90_000;

export const vmRelocateDisks: TaskImplementation<"vm.relocateDisks"> = {
  run: async (context) => {
    const { vm, host } = context.request;
    using _copies = showCopies(context, host, vm.id);
    try {
      await context.step("move", z.null(), async () => {
        await askHost(context);
        return null;
      });
      return await conclude(context, null);
    } catch (error) {
      if (!GodwitError.is(error) || context.stopped.aborted) throw error;
      return await conclude(context, error);
    }
  },

  /** `run` tells the host, and the task ends when what was copied is removed. */
  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

/**
 * A host that is silent for long ends it: the VM is to run elsewhere then, which its lease allows and `vm.json` makes safe.
 * @throws DISK_RELOCATION_UNKNOWN
 */
async function askHost(context: Context): Promise<void> {
  const { vm, host, disks, to: datastore } = context.request;
  const details = { vm: vm.name, disks, datastore, host };
  await context.ask(host, ({ agent }) => relocate(context, agent), {
    silentMs: giveUpMs,
    givenUp: () => GodwitError.of("DISK_RELOCATION_UNKNOWN", details),
  });
}

type Agent = ReturnType<Context["hosts"]["of"]>["agent"];

/** A task that was cancelled begins nothing any more. */
async function relocate(context: Context, agent: Agent): Promise<Vm> {
  const { vm, home, disks, to, bytesPerSecond, format } = context.request;
  const params = { vmId: vm.id };
  const settle = () => agent.call("vmDisksSettle", { params, body: { datastore: home, name: vm.name } });
  const isCancelling = async () =>
    (await context.persist(() => context.store.tasks.show(context.id))).state === "cancelling";
  if (await isCancelling()) return await settle();

  using changes = context.watchTasks(({ id, state }) => id === context.id && state === "cancelling");
  const body = {
    datastore: home,
    name: vm.name,
    disks,
    to,
    bytesPerSecond,
    ...(format === undefined ? {} : { format }),
  };
  const moving = agent.call("vmDisksRelocate", { params, body }, { timeoutMs: copyLimitMs });
  const ended = moving.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, changes.next(lookAgainMs).then(() => false)]))) {
    if (!(await isCancelling())) continue;
    // Again until it has ended: the host may not have started when it was asked first.
    await settle().catch((error: unknown) => {
      context.log.info({ err: error }, "the cancellation waits for the host");
    });
  }
  return await moving;
}

/** @param error why the move of the disks ended; null: it did not fail */
async function conclude(context: Context, error: GodwitError | null): Promise<TaskEnd<"vm.relocateDisks">> {
  const { vm, host, home, disks, to } = context.request;
  const now = await context
    .ask(
      host,
      (link) => link.agent.call("vmRead", { params: { datastore: home, name: vm.name } }),
      error === null ? undefined : { silentMs: giveUpMs, givenUp: () => error },
    )
    .catch((unread: unknown) => {
      // Its host reads it again before it starts the VM.
      if (error === null || context.stopped.aborted) throw unread;
      context.log.warn({ err: unread }, "where the VM's disks lie now could not be read");
      return null;
    });
  if (now !== null) await context.persist(() => context.store.vms.saveConfig(now));
  const isThere = (name: string) =>
    now?.disks.some((disk) => disk.name === name && (disk.datastore ?? now.datastore) === to) === true;
  const left = disks.filter((name) => !isThere(name));
  const { state } = await context.change(({ progress }) => (progress === null ? {} : { progress: null }));
  const problem = error?.problem ?? null;
  if (left.length === 0) return { state: "succeeded", result: { disks, to } };
  if (state === "cancelling" || GodwitError.is(error, "DISK_RELOCATION_CANCELLED")) {
    const details = { vm: vm.name, disks: left, datastore: to };
    return {
      state: "cancelled",
      problem: GodwitError.of("DISK_RELOCATION_CANCELLED", details).problem,
    };
  }
  if (problem !== null) return { state: "failed", problem };
  const [disk = ""] = left;
  const details = { vm: vm.name, disk, datastore: to, reason: "its host says that it lies elsewhere" };
  return { state: "failed", problem: GodwitError.of("DISK_RELOCATION_FAILED", details).problem };
}
