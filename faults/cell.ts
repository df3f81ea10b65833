/**
 * One cell of the campaign: a move of a VM under its client's load, one fault in one phase, and what became
 * of the VM, of its client's writes, of the hosts and of what the user is told.
 */
import { GodwitError, type Task } from "@godwit/contract";
import { listNamespaces, Load, RunWatch, vmAddress, type LoadReport } from "@godwit/lab";
import type { TestLab } from "@godwit/test-kit";
import type { Fault, Scene } from "./fault.ts";
import { Hold } from "./hold.ts";
import { look, waitsFor, type Judge, type Look } from "./judge.ts";
import type { Outcome } from "./truth.ts";
import { holderOf, type Phase } from "./phases.ts";
import { sleep, within } from "@godwit/system";

export interface CellResult {
  phase: Phase;
  fault: string;
  outcome: Outcome;
  /** The most hosts that ran the VM at any moment, by QEMU's own stamps. */
  runners: number;
  /** Writes that were acknowledged and are not there, and writes that are there more than once. */
  lost: number;
  duplicated: number;
  leftovers: string[];
  /** From the fault until all was well, ms. */
  recoveryMs: number;
  /** The longest time without an answer to the client's writes, ms; of a VM that died: with its start elsewhere. */
  writeGapMs: number;
  acknowledged: number;
  taskState: Task["state"] | null;
  /** What the user is told. */
  sentence: string;
  seconds: number;
  /** What was not well yet, whenever that changed, and after how long. */
  course: string[];
  /** Why the cell failed; empty: it did not. */
  problems: string[];
}

const bandwidthMbps = 300;
/** A held move stands still longer than users allow: the hold is not the fault that is looked for. */
const maxOutageMs = 10_000;
const readyLimitMs = 60_000;
const reachLimitMs = 60_000;
/** For harm that lasts: when it is judged as far as it can be. */
const patienceMs = 25_000;
/** A host that was off may be waited for until its lease on shared storage has run out. */
const recoveryLimitMs = 150_000;
/** Processes, files and QEMU tell nobody that they are all well. */
const lookEveryMs = 400;
const readBackLimitMs = 180_000;
const startLimitMs = 150_000;
const againMs = 1000;

/** @throws when the phase was not reached, or the lab itself does not do what it should */
export async function runCell(lab: TestLab, vmName: string, phase: Phase, fault: Fault): Promise<CellResult> {
  const beganAt = performance.now();
  const vm = await lab.vm(vmName);
  const destination = lab.lab.hosts.map(({ name }) => name).find((name) => name !== vm.host);
  if (vm.state !== "running" || destination === undefined)
    throw new Error(`the VM is ${vm.state} before the cell`);
  const scene: Scene = { lab, vm, source: vm.host, destination };
  const namespaces = await listNamespaces(lab.lab.id);

  await using load = await Load.start(lab.lab.id, vmAddress(0), false);
  await using watch = await RunWatch.begin(lab.lab, vm.id);
  await using hold = await Hold.at(lab.lab, scene[holderOf(phase)], phase);
  const movedAtEpoch = Date.now();
  const taskId = await beginMove(lab, vm.id, destination);
  await reach(lab, hold, taskId, phase);

  const injectedAt = performance.now();
  const heal = await fault.inject(scene);
  await hold.letGo();
  const judge: Judge = { scene, fault, phase, watch, taskId, namespaces };
  const { last, recoveryMs, course } = await recovered(judge, heal, injectedAt);

  const problems = last.problems.map((problem) => `after ${inSeconds(recoveryMs)}: ${problem}`);
  if (last.outcome === "dead-host") problems.push(...(await startAgain(scene, load)));
  const report = await readBack(load, [movedAtEpoch, Date.now()]);
  if (report === null) problems.push("the client could not read its writes back");
  else if (report.lost > 0) problems.push(`${String(report.lost)} acknowledged writes are lost`);
  else if (report.duplicated > 0) problems.push(`${String(report.duplicated)} writes are there twice`);
  if (last.outcome !== "dead-host" && (report?.reconnects ?? 0) > 0) {
    problems.push(`the client's connection broke ${String(report?.reconnects)} times`);
  }
  return {
    phase,
    fault: fault.name,
    outcome: last.outcome,
    runners: watch.mostAtOnce,
    lost: report?.lost ?? 0,
    duplicated: report?.duplicated ?? 0,
    leftovers: last.leftovers,
    recoveryMs: Math.round(recoveryMs),
    writeGapMs: Math.round(report?.windows[0]?.writeGapMs ?? 0),
    acknowledged: report?.acknowledged ?? 0,
    taskState: last.task?.state ?? null,
    sentence: sentenceOf(last.task, scene),
    seconds: Math.round((performance.now() - beganAt) / 100) / 10,
    course,
    problems,
  };
}

/** Begins the move as soon as it is allowed: a host may not have reported yet since the cell before. */
async function beginMove(lab: TestLab, vm: string, to: string): Promise<Task["id"]> {
  const until = performance.now() + readyLimitMs;
  for (;;) {
    try {
      const body = { to, bandwidthMbps, maxOutageMs };
      return (await lab.api.call("vmMigrate", { params: { vm }, body })).id;
    } catch (error) {
      if (performance.now() > until || !GodwitError.is(error)) throw error;
    }
    await sleep(againMs);
  }
}

/** The destination may hear that the lease is its own after the source has told the user that all is done. */
const afterTask: readonly Phase[] = ["lease-converted"];

/** Waits until the move stands still in the phase. @throws when it ends before */
async function reach(lab: TestLab, hold: Hold, taskId: Task["id"], phase: Phase): Promise<void> {
  const over = new AbortController();
  const ended = (async () => {
    const task = await lab.ended(await lab.api.call("taskShow", { params: { task: taskId } }));
    if (task.state === "succeeded" && afterTask.includes(phase)) await sleep(reachLimitMs);
    return `the move ended before it: ${task.state}: ${task.error?.detail ?? ""}`;
  })();
  const late = sleep(reachLimitMs).then(() => "it was not reached in time");
  const reached = hold.reached(over.signal).then(() => null);
  reached.catch(() => undefined);
  ended.catch(() => undefined);
  const why = await Promise.race([reached, ended, late]);
  over.abort();
  if (why !== null) throw new Error(`phase ${phase}: ${why}`);
}

/** Looks until all is well, heals what heals, and looks again: harm that has healed must leave nothing either. */
async function recovered(
  judge: Judge,
  heal: (judged: Promise<void>) => Promise<void>,
  injectedAt: number,
): Promise<{ last: Look; recoveryMs: number; course: string[] }> {
  const judged = Promise.withResolvers<undefined>();
  const patience = setTimeout(() => {
    judged.resolve(undefined);
  }, patienceMs);
  const state = { healed: false };
  const healing = heal(judged.promise).then(() => {
    state.healed = true;
  });
  healing.catch(() => undefined);
  let wellAt: number | null = null;
  const course: string[] = [];
  let before = "";
  const until = injectedAt + patienceMs + recoveryLimitMs;
  for (;;) {
    const healed = state.healed;
    const waits = await waitsFor(judge);
    const late = performance.now() > until;
    const last = waits === null || late ? await look(judge) : null;
    const now = performance.now();
    const words = last === null ? (waits ?? "") : last.problems.join("; ");
    if (words !== before)
      course.push(`${inSeconds(now - injectedAt)}: ${words === "" ? "all is well" : words}`);
    before = words;
    if (words !== "") wellAt = null;
    else {
      wellAt ??= now;
      judged.resolve(undefined);
    }
    if (last !== null && ((wellAt !== null && healed) || late)) {
      clearTimeout(patience);
      judged.resolve(undefined);
      await healing;
      return { last, recoveryMs: (wellAt ?? now) - injectedAt, course };
    }
    await sleep(lookEveryMs);
  }
}

/** A VM whose process died is started from its disks, where its lease lets it. @returns why it could not be */
async function startAgain(scene: Scene, load: Load): Promise<string[]> {
  const { lab, vm, destination } = scene;
  const until = performance.now() + startLimitMs;
  for (;;) {
    const why = await startOnce(lab, vm.id, destination);
    if (why === null) break;
    if (performance.now() > until) return [`the VM cannot be started again: ${why}`];
    await sleep(againMs);
  }
  load.reconnect();
  return [];
}

async function startOnce(lab: TestLab, vm: string, host: string): Promise<string | null> {
  try {
    const task = await lab.ended(lab.api.call("vmStart", { params: { vm }, body: { host } }));
    return task.state === "succeeded" ? null : (task.error?.detail ?? task.state);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function readBack(load: Load, window: [number, number]): Promise<LoadReport | null> {
  const report = load.finish([window]);
  report.catch(() => undefined);
  return await within(report, readBackLimitMs);
}

function sentenceOf(task: Task | null, { vm, source, destination }: Scene): string {
  if (task?.state === "succeeded") return `VM ${vm.name} moved from ${source} to ${destination}.`;
  return task?.error?.detail ?? "";
}

const inSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
