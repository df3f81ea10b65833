/** What a move's record says of its pause: measured whoever stopped the guest first, and else why it was not. */
import { initialSource, type PauseMoments } from "@godwit/migration";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { orderFor } from "../../../packages/migration/explore/inputs.ts";
import { configurations } from "../../../packages/migration/explore/names.ts";
import { EventLog } from "../src/event-log.ts";
import { SourceRecord } from "../src/moves/source-record.ts";

const order = orderFor(configurations.kvm);
let record: SourceRecord;
beforeEach(() => {
  record = new SourceRecord(order, new EventLog());
});
afterEach(() => {
  record[Symbol.dispose]();
});
/** QEMU's events, by its stamps. */
const seen = (moments: Partial<Record<keyof PauseMoments, number>>) => {
  for (const [name, atMs] of Object.entries(moments)) record.moment(name as keyof PauseMoments, atMs);
};
const runs = () => {
  record.guestRuns({ type: "running", commitToResumeMs: 6, start: { contMs: 1, resumeMs: 5 } });
};

test("QEMU that came to the end of the copy by itself, while the switch was being decided, is measured", () => {
  seen({ stoppedAtMs: 1000, preSwitchoverAtMs: 1010 });
  record.switchBegins();
  seen({ deviceAtMs: 1012, completedAtMs: 1020, committedAtMs: 1021, answeredAtMs: 1029 });
  runs();
  expect(record.current.pause).toMatchObject({ decisionMs: null, lastPagesMs: 10, commitTravelMs: 1 });
  expect(record.current).toMatchObject({ stopToContMs: 28, stopToContUnknown: null });
});

test("what was seen of a switch that was backed out does not count for the next", () => {
  record.switchBegins();
  seen({ stoppedAtMs: 1000, preSwitchoverAtMs: 1010 });
  record.guestRunsOn();
  record.switchBegins();
  seen({ stoppedAtMs: 2000, deviceAtMs: 2012, completedAtMs: 2020, committedAtMs: 2021, answeredAtMs: 2029 });
  runs();
  expect(record.current.stopToContMs).toBeNull();
  expect(record.current.stopToContUnknown).toMatch(/^it was not seen when the guest was stopped/);
});

test("a move that was taken up by another agent in its switch says that nothing of it was seen", () => {
  const outcome = { kind: "moved" } as const;
  record.changed({ ...initialSource(order, "10.0.2"), phase: "ended", outcome });
  expect(record.current).toMatchObject({ phase: "succeeded", stopToContMs: null });
  expect(record.current.stopToContUnknown).toMatch(/an agent was restarted/);
});

test("a copy that takes long is told once a second, and what is decided in it at once", () => {
  vi.useFakeTimers();
  try {
    const events = new EventLog();
    using one = new SourceRecord(order, events);
    const copying = { ...initialSource(order, "10.0.2"), phase: "copying" } as const;
    const firstId = events.lastId;
    const toldIn = (ms: number) => {
      const before = events.lastId;
      for (let passedMs = 0; passedMs < ms; passedMs += 50) {
        one.changed(copying);
        vi.advanceTimersByTime(50);
      }
      return events.lastId - before;
    };
    expect(toldIn(3000)).toBeGreaterThan(12);
    expect(events.lastId).toBeGreaterThan(firstId);
    toldIn(1000);
    expect(toldIn(10_000)).toBeLessThanOrEqual(11);
    toldIn(500);
    one.decision({ kind: "agentRestarted" });
    expect(toldIn(250)).toBeGreaterThan(0);
  } finally {
    vi.useRealTimers();
  }
});
