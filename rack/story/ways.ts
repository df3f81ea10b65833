/**
 * The other ways that a move takes, under KVM: by post-copy, cancelled in the middle, and with a switch that takes longer
 * than its budget and is undone.
 */
import { isEnded, moveOf, type MoveRecord, type Task } from "@godwit/contract";
import { sleep, until } from "@godwit/system";
import type { WayResult } from "./result.ts";
import type { Server } from "../src/server.ts";
import { heldMove } from "./held-move.ts";
import type { Site } from "./site.ts";
import type { StoryVm } from "./story-vm.ts";

/** An emulated server on a busy machine; the budget of a switch that nothing holds. */
const maxOutageMs = 20_000;
const limitMs = 600_000;

type Order = Partial<
  Record<"maxOutageMs" | "bandwidthMbps", number> & Record<"strategy", "precopy" | "postcopy">
>;

interface UnderWay {
  id: Task["id"];
  source: Server;
  release: () => Promise<void>;
}

interface Way {
  name: WayResult["way"];
  order: Order;
  /** Where it is held. */
  heldAt?: "converging";
  /** What is done to the move while it is under way, and held where that is said. */
  meddle: (site: Site, move: UnderWay) => Promise<void>;
  ends: "succeeded" | "cancelled";
  /** What its record must show, beside its end. */
  problems: (record: MoveRecord) => string[];
}

const decided = (record: MoveRecord, kind: MoveRecord["decisions"][number]["kind"]): string[] =>
  record.decisions.some((decision) => decision.kind === kind) ? [] : [`there was no decision ${kind}`];

const ways: readonly Way[] = [
  {
    name: "post-copy",
    // No pause is short enough for anything else.
    order: { strategy: "postcopy", maxOutageMs: 1, bandwidthMbps: 100 },
    meddle: async () => undefined,
    ends: "succeeded",
    problems: (record) => decided(record, "runsWhileMemoryArrives"),
  },
  {
    name: "cancelled",
    order: { maxOutageMs, bandwidthMbps: 8 },
    meddle: async (site, { id }) => {
      await phaseOf(site, id, ["copying"]);
      await site.api.call("taskCancel", { params: { task: id } });
    },
    ends: "cancelled",
    problems: () => [],
  },
  {
    name: "backed-out",
    order: { strategy: "precopy", maxOutageMs },
    // What is left does not get through once the guest stands still.
    heldAt: "converging",
    meddle: async (_, { source, release }) => {
      await source.setSending("migration", false);
      await release();
      await sleep(maxOutageMs + 2000);
      await source.setSending("migration", true);
    },
    ends: "succeeded",
    problems: (record) => [
      ...decided(record, "backedOut"),
      ...(record.backOuts > 0 ? [] : ["no switch was undone"]),
    ],
  },
];

export async function* otherWays(
  site: Site,
  vm: StoryVm,
  say: (text: string) => void,
): AsyncGenerator<WayResult> {
  for (const way of ways) {
    say(`a move that is ${way.name}`);
    const result = await goOnce(site, vm, way);
    say(
      `  ${result.ended}: ${String(result.passes)} passes, ${String(result.pauseMs)} ms pause, ${String(result.bytes)} bytes, ${String(result.backOuts)} undone switches, ${String(result.lost)} writes lost`,
    );
    for (const problem of result.problems) say(`  PROBLEM: ${problem}`);
    yield result;
  }
}

async function goOnce(site: Site, vm: StoryVm, way: Way): Promise<WayResult> {
  const { host: from } = await vm.view();
  const source = site.rack.server(from);
  const to = site.hosts.find((one) => one !== source)?.name ?? "";
  await using load = await vm.load();
  const beganAt = Date.now();
  const body = { to, ...way.order };
  const held =
    way.heldAt === undefined ? null : await heldMove(site, vm, { source, body, phase: way.heldAt });
  const start = () => site.api.call("vmMigrate", { params: { vm: vm.name }, body });
  const id = held?.id ?? (await site.whenReady(start)).id;
  await way.meddle(site, { id, source, release: held?.release ?? (async () => undefined) });
  const task = await vm.ended(id);
  const window: [number, number] = [beganAt, Date.now()];
  const record = moveOf(task);
  if (record === null) throw new Error(`task ${id} has no move`);
  const problems = task.state === way.ends ? way.problems(record) : [];
  if (task.state !== way.ends) problems.push(`it ended ${task.state}: ${task.error?.detail ?? ""}`);
  const at = way.ends === "succeeded" ? to : from;
  const running = (await vm.qemus()).map((qemu) => `${qemu.running ? "" : "stopped "}${qemu.host}`);
  if (running.join() !== at)
    problems.push(`its QEMUs are on ${running.join(" and ") || "no host"}, not ${at}`);
  const report = await load.finish([window]);
  if (report.reconnects > 0) problems.push("the client's connection broke");
  await vm.readCpuid();
  return {
    way: way.name,
    from,
    to,
    ended: task.state,
    passes: record.rounds,
    pauseMs: record.stopToContMs,
    bytes: record.bytes,
    totalMs: record.totalMs,
    backOuts: record.backOuts,
    lost: report.lost + report.duplicated,
    acknowledged: report.acknowledged,
    writeGapMs: Math.round(report.windows[0]?.writeGapMs ?? 0),
    problems,
  };
}

async function phaseOf(site: Site, id: Task["id"], phases: readonly MoveRecord["phase"][]): Promise<void> {
  const found = await until(
    async () => {
      const task = await site.api.call("taskShow", { params: { task: id } });
      const phase = moveOf(task)?.phase;
      return isEnded(task) || (phase !== undefined && phases.includes(phase)) ? (phase ?? task.state) : null;
    },
    { everyMs: 200, limitMs },
  );
  if (found === null) throw new Error(`task ${id} did not come to ${phases.join(" or ")}`);
}
