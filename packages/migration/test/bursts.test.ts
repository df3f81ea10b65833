/** Which guests are taken for ones that work in bursts, and what that does to the forecast of their moves. */
import { objectives, type VmActivity } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { burstsOf } from "../src/auto/bursts.ts";
import { forecast } from "../src/play.ts";

const mib = 2 ** 20;
const shape = (...changedMib: number[]) => ({
  ...{ periodMs: 250, everyMs: 280 },
  changedBytes: changedMib.map((amount) => amount * mib),
});

test("two busy periods of eight are a burst; what is cut by the end of the measurement goes on at its start", () => {
  const burst = { everyMs: 8 * 280, activeMs: 2 * 280, period: { seconds: 0.25, changedBytes: 40 * mib } };
  expect(burstsOf(shape(0, 0, 0, 40, 40, 0, 0, 0))).toEqual(burst);
  expect(burstsOf(shape(40, 0, 0, 0, 0, 0, 1, 40))).toEqual(burst);
  expect(burstsOf(shape(40, 0, 0, 0, 40, 0, 0, 0))).toMatchObject({ everyMs: 4 * 280, activeMs: 280 });
});

test("steady and quiet guests have none, nor those whose quiet times are too short to be of use", () => {
  for (const amounts of [
    [0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 1, 0, 0, 0, 0, 0],
    [30, 32, 28, 30, 31, 30, 29, 33],
    [30, 0, 30, 0, 30, 0, 30, 0],
    [],
  ])
    expect(burstsOf(shape(...amounts))).toBeNull();
});

test("bursts never last longer than their distance, and are as busy as a period that was seen", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 500 }), { maxLength: 64 }), (amounts) => {
      const found = burstsOf(shape(...amounts));
      if (found === null) return;
      expect(found.activeMs).toBeGreaterThan(0);
      expect(found.activeMs).toBeLessThan(found.everyMs);
      expect(amounts).toContain(found.period.changedBytes / mib);
    }),
  );
});

const forecastOf = (activity: VmActivity) =>
  forecast({
    activity,
    linkBytesPerSecond: { p10: 90e6, p50: 110e6, p90: 117e6 },
    linkMoves: 0,
    besideMs: { p10: 0, p50: 0, p90: 0 },
    besideMoves: 0,
    objective: { name: "normal", ...objectives.normal },
    maxOutageMs: 250,
  }).auto;

test("of a guest that flushes every two seconds the forecast is a switch between its flushes, not a pause at its busiest", () => {
  const periods = [
    { seconds: 0.25, changedBytes: 11 * mib },
    { seconds: 2, changedBytes: 55 * mib },
  ];
  const flushing = forecastOf({
    periods,
    shape: shape(0, 0, 0, 44, 42, 0, 0, 0),
    touchedBytes: 300 * mib,
  });
  const steady = forecastOf({ periods, touchedBytes: 300 * mib });
  expect(flushing.ends.moved).toBe(1);
  expect(flushing.pauseMs.p50).toBeLessThan(50);
  expect(flushing.slowdown.p50).toBeLessThan(0.05);
  expect(steady.pauseMs.p50).toBeGreaterThan(flushing.pauseMs.p50);
});
