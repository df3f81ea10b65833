/** A source that does not hear of its share is told again, also when the last ceiling is gone. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MoveBandwidth } from "../src/moves/move-bandwidth.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => vi.useRealTimers());

test("a move whose source did not answer when the last ceiling went is told again, and then no more", async () => {
  const bandwidth = new MoveBandwidth();
  const told: (number | null)[] = [];
  let answers = true;
  bandwidth.setHost("a", 1000);
  using _move = bandwidth.enter("m", {
    ...{ from: "a", to: "b", ceiling: null, deadlineAtMs: null },
    tell: async (share) => {
      told.push(share);
      await Promise.resolve();
      if (!answers) throw new Error("no answer");
    },
  });
  bandwidth.told("m", 1000);
  answers = false;
  bandwidth.setHost("a", null);
  await vi.advanceTimersByTimeAsync(4000);
  expect(told.length).toBeGreaterThan(1);
  answers = true;
  await vi.advanceTimersByTimeAsync(2000);
  const { length } = told;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toHaveLength(length);
  expect(new Set(told)).toEqual(new Set([null]));
});
