/**
 * A short campaign of faults that only servers of their own can have: one fault in one phase of a move, then where the VM
 * runs, what its client lost, and what users are told. As `faults/` does it in a lab, on real kernels and under KVM.
 */
import { until } from "@godwit/system";
import { untruths, type Outcome } from "../../faults/truth.ts";
import type { Server } from "../src/server.ts";
import { serverFaults, type CellPhase, type ServerFault } from "./server-faults.ts";
import type { CellResult } from "./result.ts";
import { heldMove } from "./held-move.ts";
import type { Site } from "./site.ts";
import type { Qemu, StoryVm } from "./story-vm.ts";

const phases: readonly CellPhase[] = ["copying", "final-state-sent"];
/** A held move stands still longer than users allow: the hold is not the fault that is looked for. */
const maxOutageMs = 60_000;
const limitMs = 900_000;

/** @param all every fault in every phase; else the first cell of each fault */
export async function* cells(
  site: Site,
  vm: StoryVm,
  all: boolean,
  say: (text: string) => void,
): AsyncGenerator<CellResult> {
  for (const [index, fault] of serverFaults.entries()) {
    for (const phase of all ? phases : phases.slice(index % phases.length).slice(0, 1)) {
      say(`${fault.name} in ${phase}`);
      const result = await runCell(site, vm, fault, phase);
      say(
        `  ${result.outcome}, ${String(result.lost)} lost, ${String(result.seconds)} s: ${result.sentence}`,
      );
      for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
      yield result;
    }
  }
}

async function runCell(site: Site, vm: StoryVm, fault: ServerFault, phase: CellPhase): Promise<CellResult> {
  const began = performance.now();
  const { host } = await vm.view();
  const source = site.rack.server(host);
  const destination = site.hosts.find((one) => one !== source);
  if (destination === undefined) throw new TypeError("a rack has two hosts");
  await using load = await vm.load();
  const body = { to: destination.name, maxOutageMs };
  const { id, release } = await heldMove(site, vm, { source, body, phase });

  const heal = await fault.inject({ source, destination, storage: site.server });
  // A source that starts again has no holds any more.
  if (fault.stops !== "source") await release();
  await heal();
  await site.connected();
  const task = await vm.ended(id);
  const { qemus, mostAtOnce } = await settled(vm);
  const runner = qemus.find(({ running }) => running)?.host ?? null;
  const outcome: Outcome = runner === null ? "dead-host" : runner === source.name ? "source" : "destination";
  const problems = untruths(task, await vm.view(), outcome, runner, phase);
  if (qemus.length > 1)
    problems.push(`there are QEMUs of it on ${qemus.map((one) => one.host).join(" and ")}`);
  if (outcome === "dead-host") {
    if (!fault.fatal.includes(phase)) problems.push("the VM runs nowhere, and its host was alive");
    await startAgain(site, vm, destination);
    load.reconnect();
  }
  const report = await load.finish([]);
  if (report.duplicated > 0) problems.push(`${String(report.duplicated)} writes are there twice`);
  if (outcome !== "dead-host" && report.reconnects > 0) problems.push("the client's connection broke");
  return {
    fault: fault.name,
    phase,
    outcome,
    runners: mostAtOnce,
    lost: report.lost,
    sentence: task.error?.detail ?? `The VM moved from ${source.name} to ${destination.name}.`,
    seconds: Math.round((performance.now() - began) / 100) / 10,
    problems,
  };
}

/** Looks until two looks say the same and no QEMU is still coming or going. */
async function settled(vm: StoryVm): Promise<{ qemus: Qemu[]; mostAtOnce: number }> {
  let before = "";
  let mostAtOnce = 0;
  let qemus: Qemu[] = [];
  const same = async () => {
    qemus = await vm.qemus();
    mostAtOnce = Math.max(mostAtOnce, qemus.filter(({ running }) => running).length);
    const now = JSON.stringify(qemus);
    const isSame = now === before && qemus.every(({ running }) => running);
    before = now;
    return isSame;
  };
  await until(same, { everyMs: 2000, limitMs: 120_000 });
  return { qemus, mostAtOnce };
}

/** Its lease lets it, once the dead host's has run out or the host is back and has given it up. */
async function startAgain(site: Site, vm: StoryVm, on: Server): Promise<void> {
  let why = "";
  const started = await until(
    async () => {
      try {
        const { id } = await site.api.call("vmStart", { params: { vm: vm.name }, body: { host: on.name } });
        const task = await vm.ended(id);
        why = task.error?.detail ?? "";
        return task.state === "succeeded";
      } catch (error) {
        why = String(error);
        return false;
      }
    },
    { everyMs: 5000, limitMs },
  );
  if (started !== true) throw new Error(`the VM cannot be started again: ${why}`);
}
