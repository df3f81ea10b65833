/** The agent's event log: readers that resume, also after the host's clock was set back. */
import { afterEach, expect, test, vi } from "vitest";
import { EventLog } from "../src/event-log.ts";

afterEach(() => {
  vi.useRealTimers();
});

const subject = { kind: "vm", id: "22222222-2222-4222-8222-222222222222" } as const;

async function nextAfter(log: EventLog, id: number): Promise<number | null> {
  setTimeout(() => {
    log.append("vm.movedAway", subject, {});
  }, 0);
  for await (const event of log.after(id, new AbortController().signal)) return event.id;
  return null;
}

test("a reader that resumes at its last event gets the next one", async () => {
  const log = new EventLog();
  expect(await nextAfter(log, log.lastId)).toBe(log.lastId);
});

test("an agent that starts with its clock set back is heard by a reader of the one before", async () => {
  vi.useFakeTimers({ now: Date.parse("2026-11-28T12:00:00Z"), toFake: ["Date"] });
  const before = new EventLog().lastId;
  vi.setSystemTime(Date.parse("2026-11-28T11:00:00Z"));
  const log = new EventLog();
  expect(log.lastId).toBeLessThan(before);
  expect(await nextAfter(log, before)).toBe(log.lastId);
});
