/** What earlier moves teach about the next one's forecast. */
import {
  forecastsSchema,
  keptForecast,
  objectives,
  outcomeOf,
  ratiosOf,
  type Forecasts,
  type MoveRecord,
} from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { corrected, correctionOf, forecast, movesKept, type PastMove } from "../src/play.ts";

const day = 86_400_000;
const own = (totalMs: number, ageMs = 0): PastMove => ({ ratios: { totalMs }, ageMs, isOwn: true });
const others = (totalMs: number): PastMove => ({ ...own(totalMs), isOwn: false });
const learned = (past: readonly PastMove[]): number => correctionOf(past)?.totalMs.p50 ?? Number.NaN;
const ratio = fc.double({ min: 0.2, max: 5, noNaN: true });

const mib = 2 ** 20;
const told = (): Forecasts =>
  forecast({
    activity: { periods: [{ seconds: 1, changedBytes: 8 * mib }], touchedBytes: 512 * mib },
    linkBytesPerSecond: { p10: 70e6, p50: 100e6, p90: 117e6 },
    ...{ linkMoves: 0, besideMs: { p10: 800, p50: 1500, p90: 3000 }, besideMoves: 0, maxOutageMs: 50 },
    objective: { name: "normal", ...objectives.normal },
  });

test("nothing is learned of nothing, half of it of one move, and all of it of two that agree", () => {
  expect(correctionOf([])).toBeNull();
  expect(learned([own(4)])).toBeCloseTo(2);
  expect(learned([own(4), own(4)])).toBeCloseTo(4);
});

test("it comes to the true ratio: with a few moves that scatter around it, it is one of theirs", () => {
  fc.assert(
    fc.property(
      ratio,
      fc.array(fc.double({ min: 0.9, max: 1.1, noNaN: true }), { minLength: 3, maxLength: movesKept }),
      (truth, scatter) => {
        const value = learned(scatter.map((one) => own(truth * one)));
        expect(value).toBeGreaterThanOrEqual(truth * 0.9 - 1e-9);
        expect(value).toBeLessThanOrEqual(truth * 1.1 + 1e-9);
      },
    ),
  );
});

test("a third of the moves may have gone quite otherwise: what the others say stands", () => {
  fc.assert(
    fc.property(
      ratio,
      fc.array(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), { maxLength: 3 }),
      (truth, strange) => {
        const usual = Array.from({ length: 6 }, () => own(truth));
        expect(learned([...strange.map((one) => own(one)), ...usual])).toBeCloseTo(truth);
      },
    ),
  );
});

test("whatever happened, a correction is bounded, in order, and known for each figure", () => {
  const past = fc.record({
    ratios: fc.record({ totalMs: fc.double({ min: 0, max: 1e9, noNaN: true }) }, { requiredKeys: [] }),
    ageMs: fc.double({ min: -day, max: 3650 * day, noNaN: true }),
    isOwn: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(past, { minLength: 1, maxLength: 80 }), (moves) => {
      const correction = correctionOf(moves);
      for (const { p10, p50, p90 } of [correction?.totalMs, correction?.bytes, correction?.pauseMs].map(
        (one) => one ?? { p10: 0, p50: 0, p90: 0 },
      )) {
        expect(p10).toBeGreaterThanOrEqual(1 / 8 - 1e-9);
        expect(p10).toBeLessThanOrEqual(p50 + 1e-9);
        expect(p50).toBeLessThanOrEqual(p90 + 1e-9);
        expect(p90).toBeLessThanOrEqual(8 + 1e-9);
      }
    }),
  );
});

test("what is old is believed less and less, and in the end not at all", () => {
  const at = (days: number) => learned([own(4, days * day), own(4, days * day)]);
  const ages = [0, 14, 28, 56, 365].map(at);
  expect(ages).toEqual([...ages].sort((a, b) => b - a));
  expect(ages[0]).toBeCloseTo(4);
  expect(ages.at(-1)).toBeCloseTo(1, 1);
});

test("other VMs' moves tell as much as one of its own, however many they are", () => {
  const many = Array.from({ length: 60 }, () => others(4));
  expect(learned(many)).toBeCloseTo(learned([own(4)]));
  expect(learned([...many, ...Array.from({ length: 6 }, () => own(1.5))])).toBeCloseTo(1.5);
});

test("a corrected forecast is one: its middle follows, its range holds what both say, its pause keeps to the budget", () => {
  const before = told();
  fc.assert(
    fc.property(fc.array(ratio, { minLength: 1, maxLength: 12 }), (ratios) => {
      const past = ratios.map((one) => ({
        ...{ ratios: { totalMs: one, bytes: one, pauseMs: one * 4 }, ageMs: 0, isOwn: true },
      }));
      const correction = correctionOf(past);
      const { auto, correction: shown } = forecastsSchema.parse(corrected(before, correction));
      expect(auto.totalMs.p50).toBeCloseTo(before.auto.totalMs.p50 * (correction?.totalMs.p50 ?? 1));
      for (const { p10, p50, p90 } of [auto.totalMs, auto.bytes, auto.pauseMs]) {
        expect(p10).toBeLessThanOrEqual(p50);
        expect(p50).toBeLessThanOrEqual(p90);
      }
      expect(auto.pauseMs.p90).toBeLessThanOrEqual(50);
      expect(shown?.uncorrected.totalMs).toBe(before.auto.totalMs.p50);
    }),
  );
  expect(corrected(before, null)).toEqual(before);
});

const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
const record = (more: Partial<MoveRecord> = {}): MoveRecord =>
  ({
    ...{ phase: "succeeded", totalMs: 12_000, bytes: 600 * mib, stopToContMs: 20, decisions: [] },
    phases: [
      { phase: "planned", at: at(0) },
      { phase: "copying", at: at(1000) },
      { phase: "switching", at: at(11_000) },
      { phase: "succeeded", at: at(12_000) },
    ],
    ...more,
  }) as MoveRecord;

test("the error of a forecast shrinks: each move is told, made, and learned from, by what the model alone had said", () => {
  const before = told();
  const truth = { totalMs: before.auto.totalMs.p50 * 2.5, bytes: before.auto.bytes.p50 * 1.6 };
  const past: PastMove[] = [];
  const errors: number[] = [];
  for (let move = 0; move < 6; move++) {
    const forecasts = corrected(before, correctionOf(past));
    errors.push(Math.abs(forecasts.auto.totalMs.p50 / truth.totalMs - 1));
    const ratios = ratiosOf(keptForecast(forecasts), record(truth));
    past.push({ ratios: ratios ?? {}, ageMs: 0, isOwn: true });
  }
  expect(errors[0]).toBeCloseTo(0.6);
  for (const error of errors.slice(2)) expect(error).toBeLessThan(0.001);
});

test("a move that did not end well teaches nothing", () => {
  const kept = keptForecast(told());
  expect(ratiosOf(kept, record())).toMatchObject({ totalMs: expect.any(Number) as number });
  for (const phase of ["failed", "cancelled", "copying"] as const)
    expect(ratiosOf(kept, record({ phase }))).toBeNull();
});

test("how far the guest was slowed down is what throttles took of the copy's time, and unknown after a post-copy", () => {
  expect(outcomeOf(record()).slowdown).toBeCloseTo(20 / 10_020);
  const throttled = record({
    decisions: [
      { kind: "throttle", at: at(6000), throttle: 0.5 },
      { kind: "linkSlow", at: at(10_000), throttle: 0 },
    ] as MoveRecord["decisions"],
  });
  expect(outcomeOf(throttled).slowdown).toBeCloseTo(2020 / 10_020);
  const phases = [...record().phases, { phase: "postcopy" as const, at: at(11_500) }];
  expect(outcomeOf(record({ phases })).slowdown).toBeNull();
});
