/**
 * What a move would be like: the VM's memory is measured at its host, the link is known from earlier moves between the two
 * hosts, else from the way's test and its own speed; then the controller plays it.
 */
import {
  defaultMaxOutageMs,
  GodwitError,
  hasProcess,
  moveOf,
  type Forecasts,
  type Spread,
  type VmView,
} from "@godwit/contract";
import { forecast, spreadOf } from "@godwit/migration/play";
import type { Inventory } from "../inventory.ts";
import type { MoveVerdict } from "./check-vm.ts";
import { objectiveOf, type MoveOptions } from "./move-request.ts";

/** Of the newest tasks so many are looked at for moves between the two hosts. */
const tasksLookedAt = 200;
const fewestMoves = 3;
/** The link's own speed where nothing else is known: a gigabit, less what the protocols take. */
const unknownBytesPerSecond = 117e6;

/** Null where the VM does not run, or its agent could not measure. */
export async function forecastMove(
  services: Inventory,
  vm: VmView,
  to: string,
  options: MoveOptions,
  verdict: MoveVerdict,
): Promise<Forecasts | null> {
  if (!hasProcess(vm) || verdict.runtime === null) return null;
  const activity = await services.hosts
    .of(vm.host)
    .agent.call("vmActivity", { params: { vmId: vm.id } }, { timeoutMs: 15_000 })
    .catch((error: unknown) => {
      if (GodwitError.is(error)) return null; // an agent of an earlier version, one that measures already, a VM that ended
      throw error;
    });
  if (activity === null) return null;
  const objective = objectiveOf(options, verdict.postcopyRecovers);
  const maxOutageMs =
    options.maxOutageMs ?? defaultMaxOutageMs[objective.name][verdict.runtime.accelerator ?? "tcg"];
  const { spread, moves } = await linkOf(services, vm.host, to, verdict);
  const cap =
    options.bandwidthMbps === undefined ? Number.POSITIVE_INFINITY : options.bandwidthMbps * 125_000;
  return forecast({
    ...{ activity, objective, maxOutageMs, linkMoves: moves },
    linkBytesPerSecond: {
      p10: Math.min(spread.p10, cap),
      p50: Math.min(spread.p50, cap),
      p90: Math.min(spread.p90, cap),
    },
  });
}

async function linkOf(
  { store }: Inventory,
  from: string,
  to: string,
  { between }: MoveVerdict,
): Promise<{ spread: Spread; moves: number }> {
  const tasks = await store.tasks.list({ limit: tasksLookedAt });
  const paces = tasks.flatMap((task) => {
    const move = moveOf(task);
    if (move?.from !== from || move.to !== to || move.phase !== "succeeded") return [];
    const begin = move.phases.find(({ phase }) => phase === "copying");
    const end = move.phases.findLast(({ phase }) => phase === "switching");
    const ms = begin === undefined || end === undefined ? 0 : Date.parse(end.at) - Date.parse(begin.at);
    return ms > 0 ? [(move.bytes / ms) * 1000] : [];
  });
  if (paces.length >= fewestMoves) return { spread: spreadOf(paces), moves: paces.length };
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
