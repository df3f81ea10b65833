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
