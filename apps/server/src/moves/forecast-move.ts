/**
 * What a move would be like: the VM's memory was measured at its host, the link and the time beside the copy are known from
 * earlier moves between the two hosts, else from the way's test and its own speed, and an assumption; then the controller
 * plays it, and what earlier moves took beyond their forecasts corrects it.
 */
import {
  defaultMaxOutageMs,
  hasProcess,
  type Forecasts,
  type Spread,
  type VmActivity,
  type VmView,
} from "@godwit/contract";
import { corrected, correctionOf, forecast } from "@godwit/migration/play";
import type { Inventory } from "../inventory.ts";
import type { MoveVerdict } from "./check-vm.ts";
import { earlierMoves } from "./earlier-moves.ts";
import { objectiveOf, type MoveOptions } from "./move-request.ts";

/** Of the newest tasks so many are looked at for moves between the two hosts. */
const tasksLookedAt = 200;
/** The link's own speed where nothing else is known: a gigabit, less what the protocols take. */
const unknownBytesPerSecond = 117e6;
/** Where no earlier move tells: the destination's QEMU is started and its lease taken, the source's removed. */
const unknownBesideMs: Spread = { p10: 800, p50: 1500, p90: 3000 };

/** Null where the VM does not run. @param activity what its memory does */
export async function forecastMove(
  { store }: Pick<Inventory, "store">,
  vm: VmView,
  to: string,
  options: MoveOptions,
  verdict: MoveVerdict,
  activity: VmActivity,
): Promise<Forecasts | null> {
  if (!hasProcess(vm) || verdict.runtime === null) return null;
  const objective = objectiveOf(options, verdict.postcopyRecovers);
  const maxOutageMs =
    options.maxOutageMs ?? defaultMaxOutageMs[objective.name][verdict.runtime.accelerator ?? "tcg"];
  const [tasks, outcomes] = await Promise.all([
    store.tasks.list({ limit: tasksLookedAt }),
    store.moveOutcomes.between(vm.id, vm.host, to),
  ]);
  const earlier = earlierMoves(tasks, vm.host, to);
  const { spread, moves } = earlier.linkBytesPerSecond ?? linkNow(verdict);
  const cap =
    options.bandwidthMbps === undefined ? Number.POSITIVE_INFINITY : options.bandwidthMbps * 125_000;
  const played = forecast({
    ...{ activity, objective, maxOutageMs, linkMoves: moves },
    besideMs: earlier.besideMs?.spread ?? unknownBesideMs,
    besideMoves: earlier.besideMs?.moves ?? 0,
    linkBytesPerSecond: {
      p10: Math.min(spread.p10, cap),
      p50: Math.min(spread.p50, cap),
      p90: Math.min(spread.p90, cap),
    },
  });
  const now = Date.now();
  const past = outcomes.map(({ vmId, at, ratios }) => ({
    ...{ ratios, isOwn: vmId === vm.id },
    ageMs: now - at.getTime(),
  }));
  const { postcopyLeftOut } = verdict;
  const isLeftOut = postcopyLeftOut !== null && objectiveOf(options, true).postcopy === "lastResort";
  return { ...corrected(played, correctionOf(past)), ...(isLeftOut && { postcopyLeftOut }) };
}

/** By what the hosts' links say of themselves and what the test of the way measured. */
function linkNow({ between }: MoveVerdict): { spread: Spread; moves: number } {
  const links = [between.source.facts?.migration, between.destination.report?.facts.migration];
  const speeds = links.flatMap((one) =>
    one?.link.bitsPerSecond == null ? [] : [(one.link.bitsPerSecond * 0.94) / 8],
  );
  const { path } = between.destination;
  const tried =
    path?.kind === "tried" && path.probe.sendBitsPerSecond !== null ? [path.probe.sendBitsPerSecond / 8] : [];
  const known = [...speeds, ...tried];
  const pace = known.length === 0 ? unknownBytesPerSecond : Math.min(...known);
  return { spread: { p10: pace * 0.6, p50: pace * 0.85, p90: pace }, moves: 0 };
}
