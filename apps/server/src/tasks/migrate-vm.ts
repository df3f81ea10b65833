/**
 * Task: a running VM moves to another host. The agents do it between themselves; the task asks, watches
 * and records. Whatever is lost on the way (an answer, an agent, this server), the source's record of
 * the move says how it ended; with the source gone, the destination's does.
 */
import {
  GodwitError,
  moveOrderSchema,
  type MoveOrder,
  type MoveRecord,
  type Problem,
  type Task,
  type TaskStep,
} from "@godwit/contract";
import { beyond, evcModeNamed } from "@godwit/cpu";
import { z } from "zod";
import type { HostLink } from "../hosts/host-link.ts";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const migrateVmRequest = z.object({ order: moveOrderSchema });

const cancellablePhases = new Set(["planned", "preparing", "copying", "switching"]);

export async function migrateVm(context: TaskContext): Promise<TaskEnd> {
  const { order } = migrateVmRequest.parse(context.request);
  const source = context.hosts.of(order.from);
  const refusal = await beyondBaseline(context, order);
  if (refusal !== null) return { state: "failed", problem: refusal };
  await context.change(({ state }) => ({ state: state === "queued" ? "running" : state }));

  const watch = new MoveWatch(context, source);
  using _listener = source.onMove(order.id, (record) => {
    watch.heard(record);
  });
  // Every time the line comes up, what was missed is asked for.
  using _reconnections = source.onUp(() => {
    watch.ask();
  });

  let first = true;
  for (;;) {
    context.stopped.throwIfAborted();
    try {
      watch.heard(await source.agent.call("moveStart", { body: order }));
      watch.ask(); // a cancellation may have come before the source knew of the move
      const record = await watch.ended();
      return await conclude(context, record);
    } catch (error) {
      if (!(GodwitError.is(error, "CONNECTION_FAILED") || GodwitError.is(error, "OUTCOME_UNKNOWN")))
        throw error;
      if (first && GodwitError.is(error, "CONNECTION_FAILED")) throw source.unreachable(error);
      first = false;
      const told = await destinationsRecord(context);
      if (told !== null) return await conclude(context, told);
      await context.waitFor(source);
    }
  }
}

/**
 * A pool's baseline may have been lowered since the move was asked for: looked at once more before the move is
 * begun, when the pool can no longer be lowered without seeing this task. Null: it may begin, or has begun.
 */
async function beyondBaseline(context: TaskContext, order: MoveOrder): Promise<Problem | null> {
  const { vm, from, to } = order;
  const { state } = await context.persist(() => context.store.tasks.show(context.id));
  const baseline = await context.persist(() => context.store.pools.baselineAt(to.host));
  if (state !== "queued" || baseline === null) return null;
  const more = beyond(vm.cpu.features ?? [], evcModeNamed(baseline.mode), baseline.microcode);
  if (more.length === 0) return null;
  const details = { vm: vm.name, from, host: to.host, mode: baseline.mode, features: more };
  return GodwitError.of("DESTINATION_BASELINE_EXCEEDED", details).problem;
}

/** Asks the source to take the move back. @throws TASK_NOT_CANCELLABLE */
export async function cancelMove(context: TaskContext): Promise<Task> {
  const { order } = migrateVmRequest.parse(context.request);
  const task = await context.change(() => ({ state: "cancelling" }));
  try {
    await context.hosts.of(order.from).agent.call("moveCancel", { params: { moveId: order.id } });
  } catch (error) {
    if (GodwitError.is(error, "TASK_NOT_CANCELLABLE")) {
      await context.change(() => ({ state: "running", cancellable: false }));
      throw error;
    }
    // The source does not answer now, or does not know the move yet: it is asked again when it does.
    context.log.info({ err: error }, "the cancellation waits for the source");
  }
  return task;
}

/** Keeps the task's row up to date with the source's record, one write at a time, the newest last. */
class MoveWatch {
  readonly #context: TaskContext;
  readonly #source: HostLink;
  readonly #end = Promise.withResolvers<MoveRecord>();
  #newest: MoveRecord | null = null;
  #writing: Promise<void> | null = null;
  #over = false;

  constructor(context: TaskContext, source: HostLink) {
    this.#context = context;
    this.#source = source;
    this.#end.promise.catch(() => undefined);
    context.stopped.addEventListener("abort", () => {
      this.#end.reject(context.stopped.reason);
    });
  }

  /** The record of the move that is over; nothing older is written after it. */
  async ended(): Promise<MoveRecord> {
    const record = await this.#end.promise;
    await this.#writing;
    return record;
  }

  heard(record: MoveRecord): void {
    // Events and answers come by two ways: an older record may arrive after the last one.
    if (this.#over) return;
    if (isOver(record)) {
      this.#over = true;
      this.#newest = null;
      this.#end.resolve(record);
      return;
    }
    this.#newest = record;
    this.#writing ??= this.#write();
  }

  /** The line is up: what happened meanwhile, and a cancellation that could not be delivered. */
  ask(): void {
    void (async () => {
      const moveId = (this.#context.request.order as { id: MoveRecord["id"] }).id;
      const task = await this.#context.store.tasks.show(this.#context.id);
      if (task.state === "cancelling") {
        await this.#source.agent.call("moveCancel", { params: { moveId } }).catch(() => undefined);
      }
      this.heard(await this.#source.agent.call("moveShow", { params: { moveId } }));
    })().catch((error: unknown) => {
      this.#context.log.info({ err: error }, "the move's record could not be read");
    });
  }

  async #write(): Promise<void> {
    while (this.#newest !== null) {
      const record = this.#newest;
      this.#newest = null;
      await this.#context
        .change((task) => ({
          phase: record.phase,
          progress: record.progress,
          steps: stepsOf(record),
          move: record,
          waitingFor: null,
          cancellable: task.state !== "cancelling" && cancellablePhases.has(record.phase),
        }))
        .catch((error: unknown) => {
          this.#context.log.warn({ err: error }, "progress not written");
        });
    }
    this.#writing = null;
  }
}

const isOver = ({ phase }: MoveRecord): boolean =>
  phase === "succeeded" || phase === "failed" || phase === "cancelled";

/** With the source silent, the destination may know that the VM runs there: that ends the move too. */
async function destinationsRecord(context: TaskContext): Promise<MoveRecord | null> {
  const { order } = migrateVmRequest.parse(context.request);
  if (context.hosts.isUp(order.from)) return null;
  try {
    const link = context.hosts.of(order.to.host);
    const record = await link.agent.call("moveShow", { params: { moveId: order.id } });
    return record.phase === "succeeded" ? record : null;
  } catch {
    return null;
  }
}

async function conclude(context: TaskContext, record: MoveRecord): Promise<TaskEnd> {
  const { order } = migrateVmRequest.parse(context.request);
  await context.change(() => ({
    phase: record.phase,
    progress: record.progress,
    steps: stepsOf(record),
    move: record,
  }));
  const moved = record.phase === "succeeded";
  const lost = record.error?.code === "MOVE_VM_LOST";
  const place = {
    host: moved ? order.to.host : order.from,
    state: lost ? ("lost" as const) : ("running" as const),
  };
  await context.persist(() => context.store.vms.place(order.vm.id, place));
  if (moved || record.error === null) return { state: "succeeded" };
  return { state: record.phase === "cancelled" ? "cancelled" : "failed", problem: record.error };
}

/** The move's phases as the task's steps. */
function stepsOf(record: MoveRecord): TaskStep[] {
  return record.phases
    .filter(({ phase }) => !["planned", "succeeded", "failed", "cancelled"].includes(phase))
    .map(({ phase, at }, index, all): TaskStep => {
      const next = all[index + 1]?.at ?? (isOver(record) ? record.phases.at(-1)?.at : undefined);
      return {
        name: phase,
        state: next === undefined ? "running" : "done",
        startedAt: at,
        endedAt: next ?? null,
        detail: null,
      };
    });
}
