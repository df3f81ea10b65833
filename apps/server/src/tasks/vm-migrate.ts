/**
 * A running VM moves to another host. The agents do it between themselves; the task asks, watches and records.
 * Whatever is lost on the way (an answer, an agent, this server), the source's record of the move says how it ended;
 * with the source lost, the destination's does.
 */
import {
  arrivingVm,
  GodwitError,
  moveOrderSchema,
  ratiosOf,
  spokenProtocol,
  vmInVersion,
  type MoveId,
  type MoveOrder,
  type MoveRecord,
  type PauseReason,
  type TaskOf,
  type TaskStep,
  type VmState,
} from "@godwit/contract";
import { beyond, evcModeNamed } from "@godwit/cpu";
import { movesKept } from "@godwit/migration/play";
import { MoveWatch } from "../moves/move-watch.ts";
import { limitsOf, moveIdOf, settleLimits, tellShare } from "./move-limits.ts";
import { deadlineOf, hasHadItsTurn, takeTurn } from "./take-turn.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskEnd, TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"vm.migrate">;

export const vmMigrate: TaskImplementation<"vm.migrate"> = {
  run: async (context) => {
    const source = context.hosts.of(context.request.from);
    using place = await takeTurn(context);
    if (place === null) {
      const { vm, from } = context.request;
      return {
        state: "cancelled",
        problem: GodwitError.of("MOVE_CANCELLED", { vm: vm.name, host: from }).problem,
      };
    }
    const { bandwidthBytesPerSecond: ceiling } = await limitsOf(context);
    using _share = context.moveBandwidth.enter(context.id, {
      ...{ from: context.request.from, to: context.request.to, ceiling },
      ...{ deadlineAtMs: deadlineOf(context), tell: tellShare(context) },
    });
    const order = await context.step("order", moveOrderSchema, () => orderOf(context));

    const watch = new MoveWatch({
      moveId: order.id,
      ...{ source, stopped: context.stopped, log: context.log },
      write: (record) => write(context, record),
      isCancelling: async () => (await context.store.tasks.show(context.id)).state === "cancelling",
    });
    using _listener = source.onMove(order.id, (record) => {
      watch.take(record);
    });
    // Every time the connection is made again, what was missed is asked for.
    using _reconnections = source.onUp(() => {
      watch.ask();
    });

    for (let unsure = context.mayHaveAsked; ; unsure = true) {
      context.stopped.throwIfAborted();
      try {
        const spoken = source.agent.peer?.protocol.newest ?? spokenProtocol.newest;
        const body = { ...order, vm: vmInVersion(order.vm, spoken) };
        watch.take(await source.agent.call("moveStart", { body }));
        await settleLimits(context, order);
        watch.ask(); // a cancellation may have come before the source knew of the move
        return await conclude(context, await watch.ended());
      } catch (error) {
        if (!(GodwitError.is(error, "CONNECTION_FAILED") || GodwitError.is(error, "OUTCOME_UNKNOWN")))
          throw error;
        if (!unsure && GodwitError.is(error, "CONNECTION_FAILED")) throw source.unreachable(error);
        const record = await destinationsRecord(context, order.id);
        if (record !== null) return await conclude(context, record);
        await context.waitFor(source);
      }
    }
  },

  cancel: async (context) => {
    const task = await context.change(() => ({ state: "cancelling" }));
    // It is waiting for its turn, of which no agent knows.
    if (!(await hasHadItsTurn(context))) return task;
    const { agent } = context.hosts.of(context.request.from);
    try {
      await agent.call("moveCancel", { params: { moveId: moveIdOf(context) } });
    } catch (error) {
      if (GodwitError.is(error, "TASK_NOT_CANCELLABLE")) {
        await context.change(() => ({ state: "running", cancellable: false }));
        throw error;
      }
      // The source does not answer now, or does not know the move yet: it is asked again when it does.
      context.log.info({ err: error }, "the cancellation waits for the source");
    }
    return task;
  },
};

/**
 * What the source is asked for. A pool's baseline may have been lowered since the task was asked for: it is looked at
 * once more now that the pool cannot be lowered without seeing this task.
 * @throws DESTINATION_BASELINE_EXCEEDED
 */
async function orderOf(context: Context): Promise<MoveOrder> {
  const { store, hosts, request } = context;
  const { vm: named, from, to, forecast: _, ...options } = request;
  const [{ config: vm }, baseline, { maxOutageMs }] = await Promise.all([
    context.persist(() => store.vms.show(named.id)),
    context.persist(() => store.pools.baselineAt(to)),
    limitsOf(context),
  ]);
  if (baseline !== null) {
    const features = beyond(vm.cpu.features ?? [], evcModeNamed(baseline.mode), baseline.microcode);
    const details = { vm: vm.name, from, host: to, mode: baseline.mode, features };
    if (features.length > 0) throw GodwitError.of("DESTINATION_BASELINE_EXCEEDED", details);
  }
  return {
    ...{ id: moveIdOf(context), vm, from, to: { host: to, agentUrl: hosts.of(to).url }, ...options },
    ...{ maxOutageMs, bandwidthBytesPerSecond: context.moveBandwidth.shareOf(context.id) },
  };
}

const cancellablePhases: ReadonlySet<string> = new Set(["planned", "preparing", "copying", "switching"]);

async function write(context: Context, record: MoveRecord): Promise<void> {
  context.moveBandwidth.remaining(context.id, record.progress?.remainingBytes ?? 0);
  await context.change((task) => ({
    ...fieldsOf(record),
    waitingFor: null,
    cancellable: task.state !== "cancelling" && cancellablePhases.has(record.phase),
  }));
}

/** With the source silent, the destination may know that the VM runs there: that ends the move too. */
async function destinationsRecord(context: Context, moveId: MoveId): Promise<MoveRecord | null> {
  const { from, to } = context.request;
  if (context.hosts.isUp(from)) return null;
  try {
    const record = await context.hosts.of(to).agent.call("moveShow", { params: { moveId } });
    return record.phase === "succeeded" ? record : null;
  } catch {
    return null;
  }
}

async function conclude(context: Context, record: MoveRecord): Promise<TaskEnd<"vm.migrate">> {
  const { from, to } = context.request;
  const hasMoved = record.phase === "succeeded";
  // A VM whose disks came with it is started again where they are, also where it died there.
  const host = hasMoved || record.disks?.at === "destination" ? to : from;
  await Promise.all([
    context.change(() => fieldsOf(record)),
    placeVm(context, record, host),
    host === to ? describeThere(context) : null,
    hasMoved ? learn(context, record) : null,
  ]);
  if (hasMoved || record.error === null) return { state: "succeeded", result: { host } };
  return { state: record.phase === "cancelled" ? "cancelled" : "failed", problem: record.error };
}

/** Where the VM is now. */
async function placeVm(context: Context, record: MoveRecord, host: string): Promise<void> {
  const { store, request } = context;
  // A host that was removed by force meanwhile is off, as an operator vouched.
  const isThere = (await context.persist(() => store.hosts.find(host))) !== null;
  const after = isThere ? stateAfter(record) : { state: "lost" as const };
  if (after !== null) await context.persist(() => store.vms.place(request.vm.id, { host, ...after }));
}

/** Where its disks lie, when they have moved with it. */
async function describeThere(context: Context): Promise<void> {
  const { store, request } = context;
  const { storage } = request;
  if (storage === undefined) return;
  const { config: vm } = await context.persist(() => store.vms.show(request.vm.id));
  await context.persist(() => store.vms.saveConfig(arrivingVm({ vm, storage })));
}

/** How it went in terms of its forecast corrects the next one. The move has ended whatever becomes of this. */
async function learn(context: Context, record: MoveRecord): Promise<void> {
  const { id, store, request } = context;
  const { vm, from, to, forecast } = request;
  const ratios = forecast === undefined ? null : ratiosOf(forecast, record);
  if (ratios === null) return;
  const outcome = { task: id, vmId: vm.id, ...{ from, to, ratios } };
  await context
    .persist(() => store.moveOutcomes.enter(outcome, movesKept))
    .catch((error: unknown) => {
      if (context.stopped.aborted) throw error;
      context.log.warn({ err: error }, "how the move went is not remembered for forecasts");
    });
}

/** What a VM is after its move: as it was before, unless it ended on the way; null: its host reports it. */
function stateAfter({
  error,
  pauseReason,
}: MoveRecord): { state: VmState; pauseReason?: PauseReason } | null {
  if (error?.code === "MOVE_VM_LOST") return { state: "lost" };
  // Its QEMU stands until the host has ended it, and gives its lease back last.
  if (error?.code === "MOVE_GUEST_SHUT_DOWN") return null;
  return pauseReason === null ? { state: "running" } : { state: "paused", pauseReason };
}

const fieldsOf = (
  record: MoveRecord,
): Pick<TaskOf<"vm.migrate">, "phase" | "progress" | "steps" | "move"> => ({
  phase: record.phase,
  progress: record.progress,
  steps: stepsOf(record),
  move: record,
});

const notSteps: ReadonlySet<string> = new Set(["planned", "succeeded", "failed", "cancelled"]);

/** The move's phases as the task's steps. */
function stepsOf({ phases, phase: now }: MoveRecord): TaskStep[] {
  const isOver = now === "succeeded" || now === "failed" || now === "cancelled";
  return phases
    .filter(({ phase }) => !notSteps.has(phase))
    .map(({ phase, at }, index, all): TaskStep => {
      const next = all[index + 1]?.at ?? (isOver ? phases.at(-1)?.at : undefined);
      const state = next === undefined ? "running" : "done";
      return { key: phase, name: phase, state, startedAt: at, endedAt: next ?? null, detail: null };
    });
}
