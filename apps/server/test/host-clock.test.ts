/** Clocks that are apart are told with both times, and the alarm does not change with every report. */
import { findingOf, GodwitError } from "@godwit/contract";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HostClock } from "../src/hosts/host-clock.ts";

const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 12) + seconds * 1000).toISOString();

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"], now: Date.parse(at(0)) }));
afterEach(() => vi.useRealTimers());

test("a host whose clock is behind or ahead is told with both times; within half a minute nothing is said", () => {
  const clock = new HostClock("b");
  clock.take(at(-29), Date.now());
  expect(clock.alarms).toEqual([]);
  clock.take(at(-312), Date.now());
  expect(clock.alarms.map(({ message }) => message)).toEqual([
    "The clock of host b is 5 min 12 s behind the server's: it read 2026-01-01T11:54:48.000Z when the server's read 2026-01-01T12:00:00.000Z.",
  ]);
  clock.take(at(3600), Date.now());
  expect(clock.alarms[0]?.message).toContain("60 min 0 s ahead of the server's");
  clock.take(at(0), Date.now());
  expect(clock.alarms).toEqual([]);
});

test("how long the answer took does not count against the clock", () => {
  const clock = new HostClock("b");
  const asked = Date.now();
  vi.setSystemTime(Date.parse(at(50)));
  expect(clock.take(at(20), asked).aheadMs).toBe(0);
  expect(clock.take(at(-20), asked).aheadMs).toBe(-20_000);
});

test("while the clocks stay as far apart as they were told to be, the alarm stays as it is", () => {
  const clock = new HostClock("b");
  clock.take(at(-100), Date.now());
  const [first] = clock.alarms;
  vi.setSystemTime(Date.parse(at(15)));
  clock.take(at(-84), Date.now());
  expect(clock.alarms).toEqual([first]);
  clock.take(at(-200), Date.now());
  expect(clock.alarms).not.toEqual([first]);
});

test("a join and a move name both times too", () => {
  const times = { hostAt: at(0), serverAt: at(95), aheadMs: -95_000 };
  const join = findingOf(GodwitError.of("JOIN_CLOCKS_APART", { host: "c", url: "https://s:8443", ...times }));
  expect(join.message).toBe(
    "Host c did not join: its clock read 2026-01-01T12:00:00.000Z when that of the server https://s:8443 read 2026-01-01T12:01:35.000Z, which is 95 s apart.",
  );
});
