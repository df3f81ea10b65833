/** A forecast as people see it. */
import { keptForecast, objectives, type Forecasts, type MoveRecord } from "@godwit/contract";
import { expect, test } from "vitest";
import { forecastLines, outcomeLines } from "../src/output/forecast-view.ts";

const spread = (p50: number) => ({ p10: p50 / 2, p50, p90: p50 * 2 });
const moves = {
  ends: { moved: 0.25, postcopy: 0.75, stayed: 0 },
  ...{ totalMs: spread(10_000), bytes: spread(2 ** 30), pauseMs: spread(16), slowdown: spread(0.1) },
  steps: ["post-copy as the last resort: 64 MiB left in round 3, and it no longer shrinks"],
};

const forecasts: Forecasts = {
  maxOutageMs: 50,
  objective: { name: "normal", ...objectives.normal },
  activity: { periods: [{ seconds: 1, changedBytes: 64 * 2 ** 20 }], touchedBytes: 2 ** 29 },
  linkBytesPerSecond: spread(100 * 2 ** 20),
  linkMoves: 4,
  besideMs: { p10: 1000, p50: 1200, p90: 1900 },
  besideMoves: 3,
  auto: moves,
  withoutPostcopy: { ...moves, ends: { moved: 0, postcopy: 0, stayed: 1 }, steps: [] },
};

test("a forecast tells what was measured, how the move would end with its ranges, and what would be done", () => {
  const text = forecastLines(forecasts).join("\n");
  expect(text).toMatch(/changes 64.0 MiB in 1 s/);
  expect(text).toMatch(/100 MiB\/s \(50.0 MiB to 200 MiB\), by 4 earlier moves/);
  expect(text).toMatch(/Preparing and cleaning up take 1.20 s \(1.00 s to 1.90 s\), by 3 earlier moves/);
  expect(text).toMatch(
    /objective normal \(pause up to 50.0 ms, slowed down by at most 50 %, post-copy as the last resort\)/,
  );
  expect(text).toMatch(/as asked +25 % +75 % +0 % +10.00 s \(5.00 s to 20.00 s\)/);
  expect(text).toMatch(/--postcopy never +0 % +0 % +100 %/);
  expect(text).toMatch(/it would:\n {2}post-copy as the last resort: 64 MiB left/);
});

test("what earlier moves have taught is told with its factors", () => {
  const even = { p10: 1, p50: 1, p90: 1 };
  const text = forecastLines({
    ...forecasts,
    correction: {
      ...{ moves: 5, ownMoves: 3, totalMs: { p10: 1, p50: 1.42, p90: 2 }, bytes: even, pauseMs: even },
      uncorrected: { totalMs: 1, bytes: 1, pauseMs: 1 },
    },
  }).join("\n");
  expect(text).toMatch(
    /^Corrected by 5 earlier moves between these hosts, 3 of this VM: time × 1.42, bytes × 1.00, pause × 1.00\.$/m,
  );
  expect(forecastLines(forecasts).join("\n")).not.toContain("Corrected");
});

test("a forecast says why post-copy is left out", () => {
  const reason = "post-copy is left out, because host b does not allow it: it may not";
  const objective = { ...forecasts.objective, postcopy: "never" } as const;
  const lines = forecastLines({ ...forecasts, objective, withoutPostcopy: null, postcopyLeftOut: reason });
  expect(lines).toContain(`P${reason.slice(1)}.`);
  expect(lines.join("\n")).toContain("slowed down by at most 50 %, no post-copy)");
  expect(forecastLines(forecasts).join("\n")).not.toContain("left out");
});

test("what happened stands beside what was told, and what nobody measured is no zero", () => {
  const kept = keptForecast(forecasts);
  const at = (second: number) => `2026-11-28T10:00:${String(second).padStart(2, "0")}.000Z`;
  const record = {
    ...{ totalMs: 12_000, bytes: 2 ** 30, stopToContMs: null, decisions: [] },
    phases: [
      { phase: "copying", at: at(0) },
      { phase: "switching", at: at(9) },
      { phase: "succeeded", at: at(12) },
    ],
  } as unknown as MoveRecord;
  expect(outcomeLines(kept, record)).toEqual([
    "time 12.00 s, forecast 10.00 s (5.00 s to 20.00 s)",
    "sent 1.0 GiB, forecast 1.0 GiB (512 MiB to 2.0 GiB)",
    "pause not measured, forecast 16.0 ms (8.0 ms to 32.0 ms)",
    "slowed down by not measured, forecast 10 % (5 % to 20 %)",
  ]);
});
