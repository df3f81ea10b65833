/**
 * Task: a host takes no more VMs, and those that it has go to others. Every move is a task of its own and
 * a child of this one, so whatever dies on the way, the rows say what is done, what is under way and what
 * is left; this task looks at them again whenever one of them has changed.
 *
 *   all gone                          succeeded, the host is in maintenance
 *   some could not go                 failed, the host stays as it is: it takes no VMs and still has these
 *   cancelled, and all moves ended    cancelled, the host takes VMs again
 */
import {
  isUp,
  GodwitError,
  isEnded,
  maxOutageSchema,
  nameSchema,
  type Finding,
  type Task,
  type TaskStep,
  type VmView,
} from "@godwit/contract";
import { z } from "zod";
import { checkVm } from "../moves/check-vm.ts";
import { decideMoves } from "../moves/evacuate.ts";
import type { Mover } from "../moves/evacuation.ts";
import { moveTask } from "../moves/move-task.ts";
import type { TaskContext, TaskEnd } from "./task-context.ts";

export const enterMaintenanceRequest = z.object({
  host: nameSchema,
  concurrency: z.int(),
  maxOutageMs: maxOutageSchema.optional(),
});
type Request = z.infer<typeof enterMaintenanceRequest>;

/** A move that failed by something that may pass is tried again, so many times in all. */
const attempts = 3;
/** Hosts that come back and guests that switch themselves off change no task. */
const lookAgainMs = 5000;
const perTarget = 1;

/** How it stands, read from the database. */
interface Standing {
  cancelling: boolean;
  children: Task[];
  /** VMs that are still on the host, without a task that is not a child of this one. */
  here: VmView[];
  /** What must end before the host can be empty: other tasks of its VMs, and tasks that bring it some. */
  awaited: Task[];
}

export async function enterMaintenance(context: TaskContext): Promise<TaskEnd> {
  const request = enterMaintenanceRequest.parse(context.request);
  const { host } = request;
  const setMaintenance = async (to: "off" | "entering" | "on") => {
    await context.persist(() => context.store.hosts.setMaintenance(host, to, context.id));
  };
  await context.change(({ state }) => ({ state: state === "queued" ? "running" : state }));
  await setMaintenance("entering");

  using changes = context.watchTasks((task) => task.id !== context.id || task.state === "cancelling");
  let decidedFor = "";
  let stuck = new Map<string, Finding[]>();
  for (;;) {
    const standing = await look(context, host);
    const running = standing.children.filter((child) => !isEnded(child));
    const given = givenUp(standing);
    await tell(context, standing, stuck);
    if (standing.cancelling) {
      if (running.length === 0) {
        await setMaintenance("off");
        return { state: "cancelled", problem: cancelled(host, standing) };
      }
    } else {
      const movers = moversOf(standing, given);
      const picture = JSON.stringify([movers, running.map(({ id }) => id)]);
      if (picture !== decidedFor || changes.isQuiet) {
        decidedFor = picture;
        const begun = await beginMoves(context, request, movers, running);
        if (begun === null) continue;
        stuck = begun.stuck;
        if (begun.count > 0) continue;
      }
      const left = movers.filter(({ vm }) => !stuck.has(vm.id));
      if (running.length === 0 && standing.awaited.length === 0 && left.length === 0) {
        const problem = incomplete(host, standing, given, stuck);
        if (problem !== null) return { state: "failed", problem };
        await setMaintenance("on");
        return { state: "succeeded" };
      }
    }
    await changes.next(lookAgainMs);
  }
}

/** Begins no more moves; those under way end as they do. */
export async function cancelMaintenance(context: TaskContext): Promise<Task> {
  return await context.change(() => ({ state: "cancelling", cancellable: false }));
}

async function look(context: TaskContext, host: string): Promise<Standing> {
  const { id, store } = context;
  return await context.persist(async () => {
    // In this order: what has ended by the look at the tasks is where the look at the VMs finds it.
    const task = await store.tasks.show(id);
    const unfinished = await store.tasks.unfinished();
    const arriving = await store.tasks.arriving();
    const children = await store.tasks.childrenOf(id);
    const vms = await store.vms.list();
    const ours = vms.filter((vm) => vm.host === host);
    const others = unfinished.map((one) => one.task).filter((one) => one.id !== id && one.parent !== id);
    const busy = others.filter((one) => ours.some((vm) => vm.id === one.subject.id));
    const coming = arriving.filter((one) => one.host === host).map((one) => one.task);
    return {
      cancelling: task.state === "cancelling",
      children,
      here: ours.filter((vm) => !busy.some((one) => one.subject.id === vm.id)),
      awaited: [...busy, ...coming],
    };
  });
}

/** VMs that are not tried again, each with the end of its last move. */
function givenUp({ children, here }: Standing): Map<string, Task> {
  const given = new Map<string, Task>();
  for (const vm of here) {
    const tried = attemptsOf(children, vm);
    const last = tried.at(-1);
    if (last === undefined || last.error === null || !isEnded(last)) continue;
    const mayPass = last.state === "failed" && last.error.retry === "later";
    if (!mayPass || tried.length >= attempts) given.set(vm.id, last);
  }
  return given;
}

/** Moves that began, of the kind that the VM needs as it is now: one that was stopped meanwhile begins anew. */
const attemptsOf = (children: readonly Task[], vm: VmView): Task[] =>
  children.filter(
    ({ subject, kind }) => subject.id === vm.id && kind === (isUp(vm) ? "vm.migrate" : "vm.relocate"),
  );

function moversOf({ children, here }: Standing, given: ReadonlyMap<string, Task>): Mover[] {
  return here
    .filter((vm) => !given.has(vm.id))
    .filter((vm) => !children.some((child) => child.subject.id === vm.id && !isEnded(child)))
    .map((vm) => ({
      vm,
      live: isUp(vm),
      failedAt: attemptsOf(children, vm).flatMap(({ move }) => move?.to ?? []),
    }));
}

/** @returns how many began and which VMs cannot go as things are; null when the host must be waited for */
async function beginMoves(
  context: TaskContext,
  { host, concurrency, maxOutageMs }: Request,
  movers: readonly Mover[],
  running: readonly Task[],
): Promise<{ count: number; stuck: Map<string, Finding[]> } | null> {
  const free = concurrency - running.filter(({ kind }) => kind === "vm.migrate").length;
  try {
    const next = await context.persist(() => decideMoves(context, host, movers, { free, perTarget }));
    let count = 0;
    for (const { mover, to } of next.begin) {
      const { findings, runtime } = await checkVm(context, mover.vm, to);
      if (findings.some(({ severity }) => severity === "error")) continue;
      const child = moveTask(context.hosts, mover.vm, runtime, to, { maxOutageMs, parent: context.id });
      await context.persist(() => context.begin(child));
      count += 1;
    }
    return { count, stuck: new Map(next.stuck.map(({ mover, findings }) => [mover.vm.id, findings])) };
  } catch (error) {
    if (GodwitError.is(error, "HOST_UNREACHABLE")) {
      await context.waitFor(context.hosts.of(host));
      return null;
    }
    // Someone else was faster with the VM or the destination: it is looked at anew.
    if (passing.some((code) => GodwitError.is(error, code))) return { count: 1, stuck: new Map() };
    throw error;
  }
}
const passing = ["VM_BUSY", "DESTINATION_IN_MAINTENANCE", "VM_NOT_RUNNING"] as const;

/** The children as steps of this task, and what stays. */
async function tell(
  context: TaskContext,
  { children, here, awaited }: Standing,
  stuck: ReadonlyMap<string, Finding[]>,
): Promise<void> {
  const staying = here.filter((vm) => !isUp(vm) && stuck.has(vm.id));
  const [first] = awaited;
  const waitingFor =
    first === undefined || children.some((child) => !isEnded(child))
      ? null
      : `task ${first.id} (${first.kind} ${first.subject.name})`;
  await context.change(({ steps, waitingFor: before, createdAt }) => {
    const now = [
      ...children.map(stepOf),
      ...staying.map((vm): TaskStep => ({
        name: `leave ${vm.name}, which is stopped`,
        state: "done",
        startedAt: createdAt,
        endedAt: createdAt,
        detail: (stuck.get(vm.id) ?? []).map(({ message }) => message).join(" "),
      })),
    ];
    const same = JSON.stringify([now, waitingFor]) === JSON.stringify([steps, before]);
    return same ? {} : { steps: now, waitingFor };
  });
}

function stepOf(child: Task): TaskStep {
  const states = { succeeded: "done", failed: "failed", cancelled: "undone" } as const;
  const { state } = child;
  const ended = state === "succeeded" || state === "failed" || state === "cancelled";
  return {
    name:
      child.kind === "vm.migrate" ? `move ${child.subject.name}` : `give ${child.subject.name} another home`,
    state: ended ? states[state] : "running",
    startedAt: child.createdAt,
    endedAt: child.endedAt,
    detail: ended ? (child.error?.detail ?? placeOf(child)) : wayOf(child),
    task: child.id,
  };
}

const placeOf = ({ move }: Task): string | null => (move === null ? null : `to ${move.to}`);

/** Where a move is on its way: `copying, 45 %`. */
function wayOf({ phase, progress, waitingFor }: Task): string | null {
  if (waitingFor !== null) return `waiting: ${waitingFor}`;
  if (phase !== "copying" || progress === null || progress.totalBytes === 0) return phase;
  const done = 1 - progress.remainingBytes / progress.totalBytes;
  return progress.rounds <= 1
    ? `copying, ${(done * 100).toFixed(0)} %`
    : `copying, round ${String(progress.rounds)}`;
}

function cancelled(host: string, { children, here }: Standing) {
  const moved = children.filter(({ state }) => state === "succeeded").map(({ subject }) => subject.name);
  const left = here.map(({ name }) => name);
  return GodwitError.of("MAINTENANCE_CANCELLED", { host, moved, left }).problem;
}

/** What keeps VMs that run here; a stopped one that cannot have its home elsewhere harms nobody. */
function incomplete(
  host: string,
  { here }: Standing,
  given: ReadonlyMap<string, Task>,
  stuck: ReadonlyMap<string, Finding[]>,
) {
  const running = here.filter(isUp);
  if (running.length === 0) return null;
  const findings = running.flatMap((vm) => {
    const problem = given.get(vm.id)?.error;
    if (problem == null) return stuck.get(vm.id) ?? [];
    const { code, detail: message, remedy, details } = problem;
    return [{ code, severity: "error" as const, vm: vm.name, message, remedy, details }];
  });
  const vms = running.map(({ name }) => name);
  return GodwitError.of("MAINTENANCE_INCOMPLETE", { host, vms }, { findings }).problem;
}
