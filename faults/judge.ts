/**
 * Whether all is well after a fault, asked from outside: of the process table and QEMU where the VM runs, of
 * the machine what is left over; and of Godwit only what it tells its users, which must be true.
 */
import { isEnded, type Task, type TaskId } from "@godwit/contract";
import { listNamespaces, type RunWatch } from "@godwit/lab";
import type { Fault, Scene } from "./fault.ts";
import type { Phase } from "./phases.ts";
import { unended, untruths, type Outcome } from "./truth.ts";

/** One look; all is well when there are no problems. */
export interface Look {
  outcome: Outcome;
  task: Task | null;
  /** What there should be none of. */
  leftovers: string[];
  /** All that is not well, what is left over too. */
  problems: string[];
}

const shortly = { timeoutMs: 3000 };

export interface Judge {
  scene: Scene;
  fault: Fault;
  phase: Phase;
  watch: RunWatch;
  taskId: TaskId;
  /** Of the lab, before the move. */
  namespaces: readonly string[];
}

/** The whole: where the VM runs, what is said of it, what is left over. */
export async function look(judge: Judge): Promise<Look> {
  const { scene, watch } = judge;
  const runners = await watch.runners();
  const [runner = null] = runners;
  const outcome = runner === null ? "dead-host" : runner === scene.source ? "source" : "destination";
  const problems: string[] = [];
  if (runners.length > 1) problems.push(`the VM runs on ${runners.join(" and ")}`);
  if (watch.mostAtOnce > 1) problems.push(`the VM ran on ${String(watch.mostAtOnce)} hosts at once`);
  if (outcome === "dead-host" && judge.fault.fatal?.includes(judge.phase) !== true) {
    problems.push("the VM runs nowhere, and the fault left its process alive");
  }
  const task = await told(judge, outcome, runner, problems);
  const leftovers = await leftOver(judge, outcome);
  return { outcome, task, leftovers, problems: [...problems, ...leftovers] };
}

/** What the move still waits for, in words; null when its task has ended. Costs little, and is asked often. */
export async function waitsFor({ scene, taskId }: Judge): Promise<string | null> {
  try {
    const task = await scene.lab.api.call("taskShow", { params: { task: taskId } }, shortly);
    return isEnded(task) ? null : unended(task);
  } catch (error) {
    return silent(error);
  }
}

/** What users are told. */
async function told(
  { scene, taskId, phase }: Judge,
  outcome: Outcome,
  runner: string | null,
  problems: string[],
): Promise<Task | null> {
  const { api } = scene.lab;
  try {
    const task = await api.call("taskShow", { params: { task: taskId } }, shortly);
    const vm = await api.call("vmShow", { params: { vm: scene.vm.id } }, shortly);
    problems.push(...untruths(task, vm, outcome, runner, phase));
    const { tasks } = await api.call("taskList", { query: {} }, shortly);
    problems.push(...tasks.filter((one) => !isEnded(one) && one.id !== taskId).map(unended));
    const lease = await api.call("vmLeaseShow", { params: { vm: scene.vm.id } }, shortly);
    const holders = lease.holders.map(({ host, mode }) => `${host} ${mode}`).join(", ");
    const wanted = runner === null ? "" : `${runner} EX`;
    if (holders !== wanted) problems.push(`lease: held by ${holders === "" ? "nobody" : holders}`);
    return task;
  } catch (error) {
    problems.push(silent(error));
    return null;
  }
}

const silent = (error: unknown): string =>
  `the server does not answer: ${error instanceof Error ? error.message : String(error)}`;

async function leftOver({ scene, namespaces }: Judge, outcome: Outcome): Promise<string[]> {
  const { lab } = scene;
  const found = await lab.leftovers(outcome === "dead-host" ? 0 : 1);
  const now = await listNamespaces(lab.lab.id);
  const strange = now.filter((name) => !namespaces.includes(name));
  return [...found, ...strange.map((name) => `namespace ${name}`)];
}
