import fc from "fast-check";
import { expect, test } from "vitest";
import { forecast, k95, percentile } from "../../src/load/forecast.ts";

const hour = (values: readonly number[]) => values.map((value, index) => ({ age: index * 60, value }));

test("a steady load is its own forecast, and no sample is none", () => {
  expect(forecast(hour([2, 2, 2]))).toEqual({ mean: 2, deviation: 0 });
  expect(forecast([])).toBeNull();
});

test("the last hour counts more than the day before", () => {
  const day = Array.from({ length: 24 }, (_, age) => ({ age: age * 3600, value: age === 0 ? 4 : 0 }));
  expect(forecast(day)?.mean).toBeGreaterThan(1.9);
});

test("what is predicted covers the 95th percentile of what was seen", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ age: fc.nat(86_400), value: fc.nat(64) }), { minLength: 1 }),
      (samples) => {
        const { mean, deviation } = forecast(samples) ?? { mean: 0, deviation: 0 };
        expect(mean + k95 * deviation).toBeGreaterThanOrEqual(percentile(samples, 0.95) - 1e-9);
      },
    ),
  );
});

const windows = (values: readonly number[]) =>
  values.map((value, index) => ({ age: index * 30, value, seconds: 30 }));
/** A day of a quiet load before it. */
const quiet = Array.from({ length: 144 }, (_, index) => ({
  age: 200 + index * 600,
  value: 0.1,
  seconds: 600,
}));

test("a load that rose and held for three minutes counts at once, after a quiet day too", () => {
  const { mean = 0 } = forecast([...windows([3, 3.1, 2.9, 3, 3.2, 3]), ...quiet]) ?? {};
  expect(mean).toBe(2.9);
});

test("a burst does not, and a load that fell is remembered", () => {
  expect(forecast([...windows([3, 3, 0.1, 3, 3, 3]), ...quiet])?.mean).toBeLessThan(0.5);
  expect(forecast([...windows([3, 3, 3]), ...quiet])?.mean).toBeLessThan(0.5);
  const busy = quiet.map((sample) => ({ ...sample, value: 3 }));
  expect(forecast([...windows([0, 0, 0, 0, 0, 0]), ...busy])?.mean).toBeGreaterThan(2);
});
