/** What a move would be like, for people. Pure. */
import type { Forecasts, KeptForecast, MoveForecast, MoveRecord, Spread } from "@godwit/contract";
import { outcomeOf } from "@godwit/contract/move-outcome";
import { formatBytes, formatMs, formatTable } from "./format.ts";

const percent = (share: number): string => `${String(Math.round(share * 100))} %`;

export function forecastLines(forecasts: Forecasts): string[] {
  const { objective, maxOutageMs, activity, linkBytesPerSecond, linkMoves } = forecasts;
  const { auto, withoutPostcopy, postcopyLeftOut } = forecasts;
  const changed = activity.periods.map(
    ({ seconds, changedBytes }) => `${formatBytes(changedBytes)} in ${String(seconds)} s`,
  );
  const source = linkMoves === 0 ? "by its speed and a short test" : `by ${String(linkMoves)} earlier moves`;
  const postcopy = objective.postcopy === "never" ? "no post-copy" : "post-copy as the last resort";
  const deadline = objective.deadlineMs === null ? "" : `, within ${formatMs(objective.deadlineMs)}`;
  return [
    `It has touched ${formatBytes(activity.touchedBytes)} of its memory and changes ${changed.join(", ")}.`,
    `The link carries ${formatBytes(linkBytesPerSecond.p50)}/s (${formatBytes(linkBytesPerSecond.p10)} to ${formatBytes(linkBytesPerSecond.p90)}), ${source}.`,
    ...besideLines(forecasts),
    ...correctionLines(forecasts),
    ...(postcopyLeftOut === undefined ? [] : [sentence(postcopyLeftOut)]),
    `Forecast for objective ${objective.name} (pause up to ${formatMs(maxOutageMs)}, slowed down by at most ${percent(objective.maxSlowdown)}, ${postcopy}${deadline}):`,
    ...table(auto, withoutPostcopy),
    ...(auto.steps.length === 0
      ? []
      : ["In the likeliest course it would:", ...auto.steps.map((step) => `  ${step}`)]),
  ];
}

const sentence = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

function besideLines({ besideMs, besideMoves = 0 }: Forecasts): string[] {
  if (besideMs === undefined) return [];
  const source =
    besideMoves === 0
      ? "assumed, because too few moves between these hosts are known"
      : `by ${String(besideMoves)} earlier moves`;
  return [`Preparing and cleaning up take ${spread(besideMs, formatMs)}, ${source}.`];
}

function correctionLines({ correction }: Forecasts): string[] {
  if (correction === undefined) return [];
  const { moves, ownMoves, totalMs, bytes, pauseMs } = correction;
  const counted = `${String(moves)} earlier ${moves === 1 ? "move" : "moves"} between these hosts, ${String(ownMoves)} of this VM`;
  return [
    `Corrected by ${counted}: time × ${factor(totalMs)}, bytes × ${factor(bytes)}, pause × ${factor(pauseMs)}.`,
  ];
}

const factor = ({ p50 }: Spread): string => p50.toFixed(2);

/** What a move was said to be like, in a line; while it goes on, or before. */
export function keptForecastText({ ends, totalMs, bytes, pauseMs, slowdown }: KeptForecast): string {
  const stays = ends.stayed === 0 ? "" : `; it stays with a probability of ${percent(ends.stayed)}`;
  return `${spread(totalMs, formatMs)}, ${spread(bytes, formatBytes)} sent, a pause of ${spread(pauseMs, formatMs)}, slowed down by ${spread(slowdown, percent)}${stays}`;
}

/** What happened, beside what was told, one figure a line. */
export function outcomeLines(forecast: KeptForecast, record: MoveRecord): string[] {
  const outcome = outcomeOf(record);
  const line = (name: string, told: Spread, real: number | null, show: (value: number) => string) =>
    `${name} ${real === null ? "not measured" : show(real)}, forecast ${spread(told, show)}`;
  return [
    line("time", forecast.totalMs, outcome.totalMs, formatMs),
    line("sent", forecast.bytes, outcome.bytes, formatBytes),
    line("pause", forecast.pauseMs, outcome.pauseMs, formatMs),
    line("slowed down by", forecast.slowdown, outcome.slowdown, percent),
  ];
}

function table(auto: MoveForecast, withoutPostcopy: MoveForecast | null): string[] {
  const row = (name: string, { ends, ...of }: MoveForecast): string[] => [
    name,
    percent(ends.moved),
    percent(ends.postcopy),
    percent(ends.stayed),
    spread(of.totalMs, formatMs),
    spread(of.bytes, formatBytes),
    ends.moved + ends.postcopy === 0 ? "" : spread(of.pauseMs, formatMs),
    spread(of.slowdown, percent),
  ];
  const heading = ["", "MOVES", "BY POST-COPY", "STAYS", "TIME", "SENT", "PAUSE", "SLOWED DOWN BY"];
  const rows = [row("as asked", auto)];
  if (withoutPostcopy !== null) rows.push(row("--postcopy never", withoutPostcopy));
  return formatTable([heading, ...rows])
    .split("\n")
    .map((line) => `  ${line}`);
}

const spread = ({ p10, p50, p90 }: Spread, show: (value: number) => string): string =>
  `${show(p50)} (${show(p10)} to ${show(p90)})`;
