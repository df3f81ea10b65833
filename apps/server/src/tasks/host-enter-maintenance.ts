/**
 * A host takes no more VMs, and those that it has go to others. Every move is a task of its own and a part of this
 * one, so whatever dies on the way, the rows say what is done, what is under way and what is left; this task looks at
 * them again whenever one of them has changed.
 *
 *   all VMs are elsewhere             succeeded, the host is in maintenance
 *   some were to be left running      succeeded, the host stays as it is: it takes no VMs and still has these
 *   some could not move               failed, and the same
 *   the deadline has passed           failed, once all moves have ended; the host takes VMs again
 *   cancelled, and all moves ended    cancelled, the host takes VMs again
 */
import {
  GodwitError,
  isEnded,
  type Finding,
  type Problem,
  type TaskStep,
  type VmView,
} from "@godwit/contract";
import {
  abandoned,
  cancelledProblem,
  choiceFor,
  incompleteProblem,
  isMove,
  isStop,
  movedAway,
  moversOf,
  notStopped,
  restOf,
  stoppedHere,
  stepsOf,
  timedOutProblem,
  waitOf,
  type Mover,
  type MoveTask,
  type Standing,
  type Stuck,
} from "@godwit/placement";
import { z } from "zod";
import { checkVm } from "../moves/check-vm.ts";
import { decideMoves, movesPerTarget } from "../moves/evacuate.ts";
import { moveRequest } from "../moves/move-request.ts";
import type { TaskContext } from "./task-context.ts";
import type { TaskEnd, TaskImplementation } from "./task-implementation.ts";

type Context = TaskContext<"host.enterMaintenance">;

/** Hosts that come back and guests that switch themselves off change no task. */
const lookAgainMs = 5000;
/** Whether VMs can move that are waited for: each time all hosts are asked. */
const waitAgainMs = 30_000;
const usualGraceSeconds = 300;

export const hostEnterMaintenance: TaskImplementation<"host.enterMaintenance"> = {
  run: async (context) => {
    const { host, deadlineAt } = context.request;
    await context.step("closeHost", z.null(), async () => {
      await setMaintenance(context, "entering");
      return null;
    });

    using changes = context.watchTasks((task) => task.id !== context.id || task.state === "cancelling");
    let decidedFor = "";
    let decidedAtMs = 0;
    let againMs = lookAgainMs;
    let stuck: Stuck = new Map();
    for (;;) {
      const standing = await look(context);
      const running = [...standing.moves, ...standing.stops].filter((part) => !isEnded(part));
      const errors = abandoned(standing);
      const leftMs = leftMsOf(context);
      await showSteps(context, standing, stuck);
      if (standing.cancelling) {
        if (running.length === 0) {
          await closeWaits(context);
          await setMaintenance(context, "off");
          return { state: "cancelled", problem: cancelledProblem(host, standing) };
        }
      } else if (deadlineAt !== undefined && leftMs <= 0) {
        if (running.length === 0) return await timeOver(context, deadlineAt, standing, errors, stuck);
      } else {
        const movers = moversOf(standing, errors);
        const picture = JSON.stringify([movers, running.map(({ id }) => id)]);
        // By the time, and not by a pause in which nothing changes: other tasks may change all the while.
        if (picture !== decidedFor || performance.now() - decidedAtMs >= againMs) {
          decidedFor = picture;
          decidedAtMs = performance.now();
          const started = await startMoves(context, movers, running.filter(isMove));
          if (started === null) continue;
          stuck = started.stuck;
          if (started.count > 0) continue;
        }
        againMs = lookAgainMs;
        const left = movers.filter(({ vm }) => !stuck.has(vm.id));
        if (running.length === 0 && standing.awaited.length === 0 && left.length === 0) {
          const end = await endOrGoOn(context, standing, errors, stuck);
          if (end === "goOn") continue;
          if (end !== "wait") return end;
          againMs = waitAgainMs;
        }
      }
      await changes.next(leftMs > 0 ? Math.min(lookAgainMs, leftMs) : lookAgainMs);
    }
  },

  /** Starts no more moves; those under way end as they do. */
  cancel: async (context) => await context.change(() => ({ state: "cancelling", cancellable: false })),
};

/** Until the deadline; without one for ever. */
const leftMsOf = ({ request: { deadlineAt } }: Context): number =>
  deadlineAt === undefined ? Infinity : Date.parse(deadlineAt) - Date.now();

const setMaintenance = async (context: Context, to: "off" | "entering" | "on"): Promise<void> => {
  await context.persist(() => context.store.hosts.setMaintenance(context.request.host, to, context.id));
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
      stops: parts.filter(isStop),
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
    const limits = { free, perTarget: movesPerTarget };
    const next = await context.persist(() => decideMoves(context, host, movers, limits));
    let count = 0;
    for (const { mover, to } of next.begin) {
      const { findings, runtime, postcopyRecovers } = await checkVm(context, mover.vm, to);
      if (findings.some(({ severity }) => severity === "error")) continue;
      // Deciding and checking take their time.
      if (leftMsOf(context) <= 0) break;
      await context.start(moveRequest(mover.vm, runtime, to, { maxOutageMs }, postcopyRecovers));
      count += 1;
    }
    return { count, stuck: new Map(next.stuck.map(({ mover, findings }) => [mover.vm.id, findings])) };
  } catch (error) {
    if (GodwitError.is(error, "HOST_UNREACHABLE")) {
      await context.waitFor(context.hosts.of(host));
      return null;
    }
    if (isPassing(error)) return { count: 1, stuck: new Map() };
    throw error;
  }
}
const passing = ["VM_BUSY", "DESTINATION_IN_MAINTENANCE", "VM_NOT_RUNNING"] as const;
/** Someone else was faster with the VM or the destination: it is looked at again. */
const isPassing = (error: unknown): boolean => passing.some((code) => GodwitError.is(error, code));

/** All that can move is away. */
async function endOrGoOn(
  context: Context,
  standing: Standing,
  errors: ReadonlyMap<string, Problem>,
  stuck: Stuck,
): Promise<TaskEnd<"host.enterMaintenance"> | "goOn" | "wait"> {
  const { host } = context.request;
  const failedStops = notStopped(standing);
  const rest = restOf(standing.here, context.request, failedStops);
  switch (rest.do) {
    case "fail": {
      const problem = incompleteProblem(host, rest.vms, new Map([...errors, ...failedStops]), stuck);
      if (problem === null) return "wait";
      return { state: "failed", problem };
    }
    case "wait":
      return "wait";
    case "stop":
      for (const vm of rest.vms) await stop(context, vm);
      return "goOn";
    case "end":
      return await inMaintenance(context, standing, rest.running);
  }
}

/** Shuts its guest down, or suspends it: as was chosen for it. */
async function stop(context: Context, vm: VmView): Promise<void> {
  const { id, name, config } = vm;
  const { host, graceSeconds = usualGraceSeconds } = context.request;
  await context.persist(() => context.store.maintenanceStops.enter({ vmId: id, host, task: context.id }));
  try {
    if (choiceFor(context.request, vm) === "suspend")
      await context.start({
        kind: "vm.suspend",
        request: { vm: { id, name }, host, home: config.datastore },
      });
    else await context.start({ kind: "vm.stop", request: { vm: { id, name }, host, graceSeconds } });
  } catch (error) {
    if (!isPassing(error)) throw error;
  }
}

/** @param running VMs that were to be left */
async function inMaintenance(
  context: Context,
  standing: Standing,
  running: readonly VmView[],
): Promise<TaskEnd<"host.enterMaintenance">> {
  if (running.length === 0) await setMaintenance(context, "on");
  const names = (vms: readonly VmView[]) => vms.map(({ name }) => name);
  const off = names(stoppedHere(standing));
  return {
    state: "succeeded",
    result: {
      ...{ moved: movedAway(standing), stayed: names(standing.here) },
      ...(off.length === 0 ? {} : { shutDown: off }),
      ...(running.length === 0 ? {} : { running: names(running) }),
    },
  };
}

async function timeOver(
  context: Context,
  deadlineAt: string,
  standing: Standing,
  errors: ReadonlyMap<string, Problem>,
  stuck: Stuck,
): Promise<TaskEnd<"host.enterMaintenance">> {
  const { host } = context.request;
  const rest = restOf(standing.here, context.request, new Map());
  // The last move ended when the time was over.
  if (standing.awaited.length === 0 && rest.do === "end")
    return await inMaintenance(context, standing, rest.running);
  await closeWaits(context);
  await setMaintenance(context, "off");
  return { state: "failed", problem: timedOutProblem(host, deadlineAt, standing, errors, stuck) };
}

async function showSteps(context: Context, standing: Standing, stuck: Stuck): Promise<void> {
  const waitingFor = waitOf(standing);
  await context.change((task) => {
    const steps = stepsOf(standing, stuck, task.createdAt, (vm) => choiceFor(context.request, vm));
    const same = JSON.stringify([steps, waitingFor]) === JSON.stringify([task.steps, task.waitingFor]);
    return same ? {} : { steps, waitingFor };
  });
}

/** Nothing is waited for any more. */
async function closeWaits(context: Context): Promise<void> {
  const endedAt = new Date().toISOString();
  await context.change(({ steps }) =>
    steps.some(isWait)
      ? { steps: steps.map((step) => (isWait(step) ? { ...step, state: "undone", endedAt } : step)) }
      : {},
  );
}
const isWait = ({ key, state }: TaskStep): boolean => key === "wait" && state === "running";
