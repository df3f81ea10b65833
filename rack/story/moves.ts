/** Moves of the story's VM by the handbook's command, under load, there and back between each two hosts. */
import { moveOf, taskSchema, type Task } from "@godwit/contract";
import { until } from "@godwit/system";
import { filled } from "../src/handbook.ts";
import type { Server } from "../src/server.ts";
import { isClockRight, type MoveResult } from "./result.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

/** An emulated server takes ten times as long as a real one, and thirty times on a busy machine. */
const maxOutage = "20s";
const dirtyMib = 32;
const dirtyMibPerSecond = 4;

/** From where it is through all other hosts, and back. */
export async function* movesThereAndBack(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): AsyncGenerator<MoveResult> {
  const { host: first } = await vm.view();
  const others = site.hosts.map(({ name }) => name).filter((name) => name !== first);
  await vm.dirty(dirtyMib, dirtyMibPerSecond);
  for (const to of [...others, ...others.slice(0, -1).reverse(), first]) {
    yield await moveTo(site, vm, to, say);
  }
}

/** From where it is. */
export async function moveTo(
  site: Site,
  vm: StoryVm,
  to: string,
  say: (text: string) => void,
): Promise<MoveResult> {
  const { host: from } = await vm.view();
  const move = await moveOnce(site, vm, from, to);
  const { passes, pauseMs, bytes, lost } = move;
  say(
    `moved from ${from} to ${to}: ${String(passes)} passes, ${String(pauseMs)} ms pause, ${String(bytes)} bytes, ${String(lost)} writes lost`,
  );
  return move;
}

async function moveOnce(site: Site, vm: StoryVm, from: string, to: string): Promise<MoveResult> {
  await using load = await vm.load();
  const beganAt = Date.now();
  const command = filled(site.vmCommand("godwit vm migrate"), { "host-b": to });
  const { stdout: printed, attempts } = await site.command(`${command} --max-outage ${maxOutage} --json`);
  const window: [number, number] = [beganAt, Date.now()];
  const task: Task = taskSchema.parse(JSON.parse(printed));
  const record = moveOf(task);
  if (record === null) throw new Error(`the command told of no move: ${printed.slice(0, 300)}`);
  const qemus = await vm.qemus();
  const [qemu] = qemus;
  if (qemu?.host !== to || !qemu.running || qemus.length > 1)
    throw new Error(`after the move to ${to} its QEMUs are ${JSON.stringify(qemus)}`);
  const report = await load.finish([window]);
  await vm.readCpuid();
  const clockAheadMs = await clockAfterMove(vm, site.rack.server(to));
  return {
    from,
    to,
    accelerator: qemu.accelerator,
    passes: record.rounds,
    pauseMs: record.stopToContMs,
    bytes: record.bytes,
    totalMs: record.totalMs,
    attempts,
    lost: report.lost + report.duplicated,
    acknowledged: report.acknowledged,
    writeGapMs: Math.round(report.windows[0]?.writeGapMs ?? 0),
    clockAheadMs,
  };
}

/** The guest is asked to set its clock when the move is over: what it shows then, or at last. */
async function clockAfterMove(vm: StoryVm, host: Server): Promise<number> {
  let aheadMs = 0;
  const isRight = async () => {
    aheadMs = await vm.clockAheadOf(host);
    return isClockRight(aheadMs);
  };
  await until(isRight, { everyMs: 2000, limitMs: 60_000 });
  return aheadMs;
}
