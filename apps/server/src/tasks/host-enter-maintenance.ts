/**
 * A host takes no more VMs, and those that it has go to others. Every move is a task of its own and a part of this
 * one, so whatever dies on the way, the rows say what is done, what is under way and what is left; this task looks at
 * them again whenever one of them has changed.
 *
 *   all VMs are elsewhere             succeeded, the host is in maintenance
 *   some could not move               failed, the host stays as it is: it takes no VMs and still has these
 *   cancelled, and all moves ended    cancelled, the host takes VMs again
 */
import { GodwitError, isEnded, type Finding } from "@godwit/contract";
import {
  abandoned,
  cancelledProblem,
  incompleteProblem,
  isMove,
  movedAway,
  moversOf,
  stepsOf,
  waitOf,
  type Mover,
  type MoveTask,
  type Standing,
  type Stuck,
} from "@godwit/placement";
import { z } from "zod";
import { checkVm } from "../moves/check-vm.ts";
import { decideMoves } from "../moves/evacuate.ts";
import { moveRequest } from "../moves/move-request.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"host.enterMaintenance">;

/** Hosts that come back and guests that switch themselves off change no task. */
const lookAgainMs = 5000;
/** Moves to one destination at once. */
const perTarget = 1;

export const hostEnterMaintenance: TaskImplementation<"host.enterMaintenance"> = {
  run: async (context) => {
    const { host } = context.request;
    const setMaintenance = async (to: "off" | "entering" | "on") => {
      await context.persist(() => context.store.hosts.setMaintenance(host, to, context.id));
    };
    await context.step("closeHost", z.null(), async () => {
      await setMaintenance("entering");
      return null;
    });

    using changes = context.watchTasks((task) => task.id !== context.id || task.state === "cancelling");
    let decidedFor = "";
    let stuck: Stuck = new Map();
    for (;;) {
      const standing = await look(context);
      const running = standing.moves.filter((move) => !isEnded(move));
      const errors = abandoned(standing);
      await showSteps(context, standing, stuck);
      if (standing.cancelling) {
        if (running.length === 0) {
          await setMaintenance("off");
          return { state: "cancelled", problem: cancelledProblem(host, standing) };
        }
      } else {
        const movers = moversOf(standing, errors);
        const picture = JSON.stringify([movers, running.map(({ id }) => id)]);
        if (picture !== decidedFor || changes.isQuiet) {
          decidedFor = picture;
          const started = await startMoves(context, movers, running);
          if (started === null) continue;
          stuck = started.stuck;
          if (started.count > 0) continue;
        }
        const left = movers.filter(({ vm }) => !stuck.has(vm.id));
        if (running.length === 0 && standing.awaited.length === 0 && left.length === 0) {
          const problem = incompleteProblem(host, standing, errors, stuck);
          if (problem !== null) return { state: "failed", problem };
          await setMaintenance("on");
          const stayed = standing.here.map(({ name }) => name);
          return { state: "succeeded", result: { moved: movedAway(standing), stayed } };
        }
      }
      await changes.next(lookAgainMs);
    }
  },

  /** Starts no more moves; those under way end as they do. */
  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

async function look(context: Context): Promise<Standing> {
  const { id, store } = context;
  const { host } = context.request;
  return await context.persist(async () => {
    // In this order: what has ended by the look at the tasks is where the look at the VMs finds it.
    const task = await store.tasks.show(id);
    const unfinished = await store.tasks.unfinished();
    const arriving = await store.tasks.arriving();
    const parts = await store.tasks.childrenOf(id);
    const vms = (await store.vms.list()).filter((vm) => vm.host === host);
    const others = unfinished.filter((one) => one.id !== id && one.parent !== id);
    const busy = others.filter((one) => vms.some((vm) => vm.id === one.subject.id));
    const coming = arriving.filter((one) => one.host === host).map((one) => one.task);
    return {
      cancelling: task.state === "cancelling",
      moves: parts.filter(isMove),
      here: vms.filter((vm) => !busy.some((one) => one.subject.id === vm.id)),
      awaited: [...busy, ...coming],
    };
  });
}

/** @returns how many started and which VMs no host may have; null when the host had to be waited for */
async function startMoves(
  context: Context,
  movers: readonly Mover[],
  running: readonly MoveTask[],
): Promise<{ count: number; stuck: Map<string, Finding[]> } | null> {
  const { host, concurrency, maxOutageMs } = context.request;
  const free = concurrency - running.filter(({ kind }) => kind === "vm.migrate").length;
  try {
    const next = await context.persist(() => decideMoves(context, host, movers, { free, perTarget }));
    let count = 0;
    for (const { mover, to } of next.begin) {
      const { findings, runtime, postcopyRecovers } = await checkVm(context, mover.vm, to);
      if (findings.some(({ severity }) => severity === "error")) continue;
      await context.start(moveRequest(mover.vm, runtime, to, { maxOutageMs }, postcopyRecovers));
      count += 1;
    }
    return { count, stuck: new Map(next.stuck.map(({ mover, findings }) => [mover.vm.id, findings])) };
  } catch (error) {
    if (GodwitError.is(error, "HOST_UNREACHABLE")) {
      await context.waitFor(context.hosts.of(host));
      return null;
    }
    // Someone else was faster with the VM or the destination: it is looked at again.
    if (passing.some((code) => GodwitError.is(error, code))) return { count: 1, stuck: new Map() };
    throw error;
  }
}
const passing = ["VM_BUSY", "DESTINATION_IN_MAINTENANCE", "VM_NOT_RUNNING"] as const;

async function showSteps(context: Context, standing: Standing, stuck: Stuck): Promise<void> {
  const waitingFor = waitOf(standing);
  await context.change((task) => {
    const steps = stepsOf(standing, stuck, task.createdAt);
    const same = JSON.stringify([steps, waitingFor]) === JSON.stringify([task.steps, task.waitingFor]);
    return same ? {} : { steps, waitingFor };
  });
}
