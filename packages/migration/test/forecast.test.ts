/** What is made of measurements of a guest, and what a move of it is said to be like. */
import { forecastsSchema, objectives, type Objective } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { advance, beginModel, dirtyOf, forecast, guestOf, type Guest } from "../src/play.ts";

const mib = 2 ** 20;
const normal: Objective = { name: "normal", ...objectives.normal };
const gigabit = { p10: 70e6, p50: 100e6, p90: 117e6 };
const facts = (shortMib: number, longMib: number) => ({
  activity: {
    periods: [
      { seconds: 1, changedBytes: shortMib * mib },
      { seconds: 2, changedBytes: longMib * mib },
    ],
    touchedBytes: 512 * mib,
  },
  linkBytesPerSecond: gigabit,
  linkMoves: 0,
  besideMs: { p10: 0, p50: 0, p90: 0 },
  besideMoves: 0,
  objective: normal,
  maxOutageMs: 50,
});
/** What such a guest changes in a time, sent nothing. */
function changedIn(guest: Guest, seconds: number): number {
  let state = { ...beginModel(guest), leftBytes: Number.MAX_SAFE_INTEGER };
  while (state.atMs < seconds * 1000) state = advance(state, guest, () => 1, 10);
  return dirtyOf(state);
}

test("the guest that is made of two measurements changes as much as was measured", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 4, max: 256 }),
      fc.double({ min: 1.05, max: 1.9, noNaN: true }),
      (shortMib, ratio) => {
        const guest = guestOf(facts(shortMib, shortMib * ratio).activity);
        for (const [seconds, wanted] of [
          [1, shortMib],
          [2, Math.min(512, shortMib * ratio)],
        ] as const)
          // A mebibyte beside it is of what every guest writes.
          expect(
            Math.abs(changedIn(guest, seconds) / mib - wanted) -
              (seconds === 2 && 2 * shortMib > 200 ? 0.15 * wanted : 0),
          ).toBeLessThan(0.08 * wanted + 1.5);
      },
    ),
  );
});

test("of an idle guest nothing but its memory and a short pause is to be expected", () => {
  const { auto, withoutPostcopy } = forecastsSchema.parse(forecast(facts(0, 0)));
  expect(auto.ends).toEqual({ moved: 1, postcopy: 0, stayed: 0 });
  expect(auto.totalMs.p50).toBeGreaterThan(5000);
  expect(auto.totalMs.p90).toBeLessThan(9000);
  expect(auto.pauseMs.p90).toBeLessThan(50);
  expect(withoutPostcopy?.ends).toEqual({ moved: 1, postcopy: 0, stayed: 0 });
});

test("the told time is the whole move's: what it takes beside its copy is in it", () => {
  const bare = forecast(facts(0, 0));
  const whole = forecast({ ...facts(0, 0), besideMs: { p10: 800, p50: 1500, p90: 3000 } });
  expect(whole.auto.totalMs.p10 - bare.auto.totalMs.p10).toBeCloseTo(800);
  expect(whole.auto.totalMs.p50 - bare.auto.totalMs.p50).toBeCloseTo(1500);
  expect(whole.auto.totalMs.p90 - bare.auto.totalMs.p90).toBeCloseTo(3000);
  expect(whole.auto.slowdown).toEqual(bare.auto.slowdown);
});

test("of one that writes faster than the link it is said that post-copy would end it, and why; without, that it stays", () => {
  const { auto, withoutPostcopy } = forecast(facts(300, 320));
  expect(auto.ends).toEqual({ moved: 0, postcopy: 1, stayed: 0 });
  expect(auto.steps.join()).toMatch(
    /post-copy as the last resort: .* slowing the guest down .* would not help/,
  );
  expect(withoutPostcopy?.ends.stayed).toBe(1);
});

test("whatever was measured, a forecast is one: in order, with shares of one", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 0, max: 4000 }),
      fc.integer({ min: 0, max: 4096 }),
      (shortMib, longMib, touchedMib) => {
        const given = facts(shortMib, longMib);
        const { auto } = forecastsSchema.parse(
          forecast({ ...given, activity: { ...given.activity, touchedBytes: touchedMib * mib } }),
        );
        const { moved, postcopy, stayed } = auto.ends;
        expect(moved + postcopy + stayed).toBeCloseTo(1);
        for (const { p10, p50, p90 } of [auto.totalMs, auto.bytes, auto.pauseMs, auto.slowdown]) {
          expect(p10).toBeLessThanOrEqual(p50);
          expect(p50).toBeLessThanOrEqual(p90);
        }
      },
    ),
    { numRuns: 25 },
  );
});
