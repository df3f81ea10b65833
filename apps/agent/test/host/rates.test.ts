/** Rates: averages of counters that only grow, over no less than a second. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Rates } from "../../src/host/rates.ts";

test("the first reading gives no rate, and one that is asked for too soon is the one before", () => {
  const rates = new Rates();
  expect(rates.perSecond("a", 100, 0)).toBe(null);
  expect(rates.perSecond("a", 5000, 10)).toBe(null);
  expect(rates.perSecond("a", 1100, 2000)).toBe(500);
  expect(rates.perSecond("a", 9999, 2500)).toBe(500);
  expect(rates.perSecond("b", 0, 2500)).toBe(null); // each counter for itself
});

test("however often it is asked: a rate is null or that of a stretch that was passed, and never negative", () => {
  const step = fc.record({ grows: fc.nat(1e9), afterMs: fc.integer({ min: 1, max: 5000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), fc.nat(1e6), (steps, begin) => {
      const rates = new Rates();
      const readings = [{ value: begin, atMs: 0 }];
      rates.perSecond("a", begin, 0);
      for (const { grows, afterMs } of steps) {
        const last = readings.at(-1);
        const now = { value: (last?.value ?? 0) + grows, atMs: (last?.atMs ?? 0) + afterMs };
        const rate = rates.perSecond("a", now.value, now.atMs);
        readings.push(now);
        if (rate === null) {
          expect(now.atMs).toBeLessThan(1000);
          continue;
        }
        // Somewhere between the slowest and the fastest step that was taken.
        expect(rate).toBeGreaterThanOrEqual(0);
        const fastest = Math.max(...steps.map((one) => (one.grows * 1000) / one.afterMs));
        expect(rate).toBeLessThanOrEqual(fastest * 1.000001);
      }
    }),
  );
});

test("a counter that went back, and one that was forgotten, begin again", () => {
  const rates = new Rates();
  rates.perSecond("a", 1000, 0);
  expect(rates.perSecond("a", 10, 2000)).toBe(null);
  expect(rates.perSecond("a", 20, 4000)).toBe(5);
  rates.keep(new Set(["b"]));
  expect(rates.perSecond("a", 30, 6000)).toBe(null);
});
