/**
 * How it stands with a host that is being emptied, and what follows: which VMs move next, what the task's steps are,
 * and how it ends. Pure: it is asked again whenever something has changed.
 */
import {
  GodwitError,
  isEnded,
  hasProcess,
  finding,
  waitForTask,
  type CannotMove,
  type Finding,
  type Problem,
  type Task,
  type TaskOf,
  type TaskStep,
  type TaskWait,
  type VmView,
} from "@godwit/contract";
import type { Mover } from "./evacuation.ts";

/** A move that failed by something that may pass is tried again, so many times in all. */
const attempts = 3;

/** How it stands, read from the database. */
export interface Standing {
  cancelling: boolean;
  /** The moves that are parts of the task, oldest first. */
  moves: MoveTask[];
  /** The same of VMs that it shuts down or suspends. */
  stops: StopTask[];
  /** VMs that are still on the host, without a task that is not a part of this one. */
  here: VmView[];
  /** What must end before the host can be empty: other tasks of its VMs, and tasks that bring it some. */
  awaited: Task[];
}
export type MoveTask = TaskOf<"vm.migrate" | "vm.relocate">;
export type StopTask = TaskOf<"vm.stop" | "vm.suspend">;
/** Of each VM that no host may have as things are: why. */
export type Stuck = ReadonlyMap<string, Finding[]>;

export const isMove = (task: Task): task is MoveTask =>
  task.kind === "vm.migrate" || task.kind === "vm.relocate";
export const isStop = (task: Task): task is StopTask => task.kind === "vm.stop" || task.kind === "vm.suspend";

/** VMs that are not tried again, each with the error that its last move ended with. */
export const abandoned = ({ moves, here }: Standing): Map<string, Problem> =>
  lastErrors(here, (vm) => attemptsOf(moves, vm));

/** VMs that run although they were to be shut down or suspended, and that are not asked again. */
export const notStopped = ({ stops, here }: Standing): Map<string, Problem> =>
  lastErrors(here.filter(hasProcess), (vm) => stops.filter(({ subject }) => subject.id === vm.id));

function lastErrors(
  vms: readonly VmView[],
  attemptsFor: (vm: VmView) => readonly (MoveTask | StopTask)[],
): Map<string, Problem> {
  const errors = new Map<string, Problem>();
  for (const vm of vms) {
    const tried = attemptsFor(vm);
    const last = tried.at(-1);
    if (last === undefined || last.error === null || !isEnded(last)) continue;
    const mayPass = last.state === "failed" && last.error.retry === "later";
    if (!mayPass || tried.length >= attempts) errors.set(vm.id, last.error);
  }
  return errors;
}

/** VMs that the emptying has shut down or suspended, and that have not been started since: they stay here, for the end of the maintenance. */
export const stoppedHere = ({ stops, here }: Pick<Standing, "stops" | "here">): VmView[] =>
  here.filter(
    (vm) =>
      !hasProcess(vm) && stops.some(({ subject, state }) => subject.id === vm.id && state === "succeeded"),
  );

/** VMs that are to move and are not on their way. */
export function moversOf(standing: Standing, without: ReadonlyMap<string, unknown>): Mover[] {
  const { moves, stops, here } = standing;
  const off = new Set(stoppedHere(standing));
  return here
    .filter((vm) => !without.has(vm.id) && !off.has(vm))
    .filter((vm) => !stops.some((stop) => stop.subject.id === vm.id && !isEnded(stop)))
    .filter((vm) => !moves.some((move) => move.subject.id === vm.id && !isEnded(move)))
    .map((vm) => ({
      vm,
      live: hasProcess(vm),
      failedAt: attemptsOf(moves, vm).map(({ request }) => request.to),
    }));
}

/** Moves that started, of the kind that the VM needs as it is now: one that was stopped meanwhile starts with none. */
const attemptsOf = (moves: readonly MoveTask[], vm: VmView): MoveTask[] =>
  moves.filter(
    ({ subject, kind }) => subject.id === vm.id && kind === (hasProcess(vm) ? "vm.migrate" : "vm.relocate"),
  );

/** The task's steps: its moves, the VMs that it shuts down or suspends, and those that stay. @param since when the task was entered */
export function stepsOf(
  { moves, stops, here }: Standing,
  stuck: Stuck,
  since: string,
  choiceFor: (vm: VmView) => CannotMove | null,
): TaskStep[] {
  return [
    ...moves.map(moveStep),
    ...stops.map(stopStep),
    ...here.flatMap((vm): TaskStep[] => {
      const findings = stuck.get(vm.id);
      if (findings === undefined) return [];
      const choice = hasProcess(vm) ? choiceFor(vm) : "leave";
      if (choice !== "leave" && choice !== "wait") return [];
      const waits = choice === "wait";
      return [
        {
          key: choice,
          name: `${waits ? "wait for" : "leave"} ${vm.name}, which ${hasProcess(vm) ? "cannot move" : "is stopped"}`,
          subject: { kind: "vm", id: vm.id, name: vm.name },
          state: waits ? "running" : "done",
          startedAt: since,
          endedAt: waits ? null : since,
          detail: findings.map(({ message }) => message).join(" "),
        },
      ];
    }),
  ];
}

function stopStep({ id, kind, subject, state, createdAt, endedAt, error }: StopTask): TaskStep {
  const [key, does] = kind === "vm.stop" ? ["shutDown", "shut down"] : ["suspend", "suspend"];
  return {
    ...{ key, name: `${does} ${subject.name}, which cannot move`, subject },
    state: state === "succeeded" ? "done" : endedAt === null ? "running" : "failed",
    ...{ startedAt: createdAt, endedAt, detail: error?.detail ?? null, task: id },
  };
}

/** What it waits for while no move of its own is under way. */
export function waitOf({ moves, stops, awaited: [first] }: Standing): TaskWait | null {
  if (first === undefined || [...moves, ...stops].some((part) => !isEnded(part))) return null;
  return waitForTask(first);
}

/** A move that is a part of a task, as a step of it. */
export function moveStep(move: MoveTask): TaskStep {
  const states = { succeeded: "done", failed: "failed", cancelled: "undone" } as const;
  const { state, subject } = move;
  const ended = state === "succeeded" || state === "failed" || state === "cancelled";
  return {
    key: move.kind === "vm.migrate" ? "move" : "relocate",
    name: move.kind === "vm.migrate" ? `move ${subject.name}` : `change the host of ${subject.name}`,
    subject,
    state: ended ? states[state] : "running",
    startedAt: move.createdAt,
    endedAt: move.endedAt,
    detail: ended ? (move.error?.detail ?? `to ${move.request.to}`) : progressOf(move),
    task: move.id,
  };
}

/** Where a move is on its way: `copying, 45 %`. */
function progressOf(move: MoveTask): string | null {
  if (move.waitingFor !== null) return `waiting: ${move.waitingFor.message}`;
  if (move.kind !== "vm.migrate") return null;
  const { phase, progress } = move;
  if (phase !== "copying" || progress === null || progress.totalBytes === 0) return phase;
  const done = 1 - progress.remainingBytes / progress.totalBytes;
  return progress.rounds <= 1
    ? `copying, ${(done * 100).toFixed(0)} %`
    : `copying, round ${String(progress.rounds)}`;
}

export const movedAway = ({ moves }: Standing): string[] =>
  moves.filter(({ state }) => state === "succeeded").map(({ subject }) => subject.name);

/** VMs that an emptying has moved, and that still are where they went. */
export function awayFrom<T extends Pick<VmView, "id" | "host">>(
  parts: readonly Task[],
  vms: readonly T[],
): T[] {
  const went = new Map<string, string>(
    parts
      .filter(isMove)
      .filter(({ state }) => state === "succeeded")
      .map(({ subject, request }) => [subject.id, request.to]),
  );
  return vms.filter(({ id, host }) => went.get(id) === host);
}

export function cancelledProblem(host: string, standing: Standing): Problem {
  const off = stoppedHere(standing);
  const left = standing.here.filter((vm) => !off.includes(vm)).map(({ name }) => name);
  const shutDown = off.map(({ name }) => name);
  const moved = movedAway(standing);
  return GodwitError.of("MAINTENANCE_CANCELLED", { host, moved, left, shutDown }).problem;
}

/** Why it ended with its time over: of each VM that still runs here what kept it. */
export function timedOutProblem(
  host: string,
  deadlineAt: string,
  standing: Standing,
  errors: ReadonlyMap<string, Problem>,
  stuck: Stuck,
): Problem {
  const running = standing.here.filter(hasProcess);
  const findings = running.flatMap((vm) => {
    const why = findingsOfVm(vm, errors, stuck);
    return why.length > 0
      ? why
      : [{ ...finding("MAINTENANCE_NO_TIME_LEFT", { host, vm: vm.name }), vm: vm.name }];
  });
  const details = {
    ...{ host, deadlineAt, moved: movedAway(standing), left: running.map(({ name }) => name) },
    shutDown: stoppedHere(standing).map(({ name }) => name),
  };
  return GodwitError.of("MAINTENANCE_TIMED_OUT", details, { findings }).problem;
}

/** Why the host is not empty; null when none of its VMs keeps it from that. @param running VMs that were not to run on here */
export function incompleteProblem(
  host: string,
  running: readonly VmView[],
  errors: ReadonlyMap<string, Problem>,
  stuck: Stuck,
): Problem | null {
  if (running.length === 0) return null;
  const findings = running.flatMap((vm) => findingsOfVm(vm, errors, stuck));
  const vms = running.map(({ name }) => name);
  return GodwitError.of("MAINTENANCE_INCOMPLETE", { host, vms }, { findings }).problem;
}

function findingsOfVm(vm: VmView, errors: ReadonlyMap<string, Problem>, stuck: Stuck): Finding[] {
  const problem = errors.get(vm.id);
  if (problem === undefined) return stuck.get(vm.id) ?? [];
  const { code, detail: message, remedy, details } = problem;
  return [{ code, severity: "error", vm: vm.name, message, remedy, details }];
}
