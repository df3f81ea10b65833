/** How long an evacuation takes: moves run at once as far as they may, and the link bears no more than it can. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { deadlineMet, evacuationTime, type TimedMove } from "../src/evacuation-time.ts";

const same = (value: number) => ({ p10: value, p50: value, p90: value });
const move = (to: string, ms: number, bytes = 0): TimedMove => ({
  ...{ to, totalMs: same(ms), bytes: same(bytes), linkBytesPerSecond: same(100) },
});
const limits = { concurrency: 2, perTarget: 1 };

test("to one destination they follow each other, to two they run at once, and a third waits for its turn", () => {
  expect(evacuationTime([], limits)).toEqual(same(0));
  expect(evacuationTime([move("b", 10), move("b", 20)], limits).p50).toBe(30);
  expect(evacuationTime([move("b", 10), move("c", 20)], limits).p50).toBe(20);
  expect(evacuationTime([move("b", 10), move("c", 20), move("d", 5)], limits).p50).toBe(20);
  expect(evacuationTime([move("b", 10), move("c", 20)], { ...limits, concurrency: 1 }).p50).toBe(30);
});

test("moves that run at once share the link", () => {
  expect(evacuationTime([move("b", 1000, 100), move("c", 1000, 100)], limits).p50).toBe(2000);
});

test("for any moves: no less than the longest, no more than all after each other, and a slow end is not before the middle", () => {
  const spread = fc.tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000)).map((of) => {
    const [p10 = 0, p50 = 0, p90 = 0] = [...of].sort((one, other) => one - other);
    return { p10, p50, p90 };
  });
  const moves = fc.array(
    fc.record({
      ...{ to: fc.constantFrom("b", "c", "d"), totalMs: spread, bytes: fc.constant(same(0)) },
      linkBytesPerSecond: fc.constant(same(100)),
    }),
    { maxLength: 8 },
  );
  const counts = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(moves, counts, counts, (given, concurrency, perTarget) => {
      const { p10, p50, p90 } = evacuationTime(given, { concurrency, perTarget });
      const times = given.map(({ totalMs }) => totalMs.p50);
      expect(p50).toBeGreaterThanOrEqual(Math.max(0, ...times));
      expect(p50).toBeLessThanOrEqual(times.reduce((sum, ms) => sum + ms, 0));
      if (concurrency === 1) expect([p10 <= p50, p50 <= p90]).toEqual([true, true]);
    }),
  );
});

test("a deadline is met only where everything that must happen fits", () => {
  const rest = { totalMs: { p10: 5, p50: 10, p90: 20 }, shutDownMs: 0, waits: false };
  expect(deadlineMet(20, rest)).toBe("yes");
  expect(deadlineMet(20, { ...rest, shutDownMs: 1 })).toBe("likely");
  expect(deadlineMet(15, rest)).toBe("likely");
  expect(deadlineMet(9, rest)).toBe("no");
  expect(deadlineMet(20, { ...rest, waits: true })).toBe("unknown");
  expect(deadlineMet(20, { ...rest, totalMs: null })).toBe("unknown");
});
