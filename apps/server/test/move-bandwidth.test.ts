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

test("a limit that somebody sets while the source is told another one is told again: which came last is not known", async () => {
  const bandwidth = new MoveBandwidth();
  const told: (number | null)[] = [];
  let answer = Promise.withResolvers<undefined>();
  bandwidth.setHost("a", 1000);
  using _move = bandwidth.enter("m", {
    ...{ from: "a", to: "b", ceiling: null, deadlineAtMs: null },
    tell: async (share) => {
      told.push(share);
      await answer.promise;
    },
  });
  bandwidth.told("m", 1000);
  bandwidth.setHost("a", 500);
  expect(told).toEqual([500]);
  // As `godwit task set` does it.
  const share = bandwidth.setOwn("m", 100);
  bandwidth.told("m", share);
  answer.resolve(undefined);
  answer = Promise.withResolvers();
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toEqual([500, 100]);
  answer.resolve(undefined);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual([500, 100]);
});
