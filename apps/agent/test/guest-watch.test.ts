/** Guests that have stopped by themselves: when they are let run again, and when no more. */
import type { PauseReason, VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import pino from "pino";
import { expect, test } from "vitest";
import { GuestWatch, mayTryAgain, roomBytes } from "../src/vms/guest-watch.ts";

test("a guest is let run when there is room, each time later than the time before, and eight times at most", () => {
  expect(mayTryAgain(null, roomBytes - 1, 0)).toBe(false);
  expect(mayTryAgain(null, roomBytes, 0)).toBe(true);
  const waits: number[] = [];
  for (let count = 1; count <= 10; count++) {
    const wait = Array.from({ length: 2000 }, (_, second) => second * 1000).find((atMs) =>
      mayTryAgain({ count, lastAtMs: 0 }, roomBytes, atMs),
    );
    if (wait !== undefined) waits.push(wait);
  }
  expect(waits).toHaveLength(7);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(new Set(waits).size).toBe(7);
});

function watched(reason: PauseReason, freeBytes: number | Error) {
  const done: string[] = [];
  const process = { vmId: "v" as VmId, spec: { vm: { name: "web-1" } } } as unknown as QemuProcess;
  const watch = new GuestWatch({
    vms: {
      tryResume: () => {
        done.push("resume");
        return Promise.resolve(true);
      },
      endShutDown: () => {
        done.push("end");
        return Promise.resolve();
      },
    },
    processes: { present: [process], pauseReasonOf: () => reason },
    freeBytes: () => (freeBytes instanceof Error ? Promise.reject(freeBytes) : Promise.resolve(freeBytes)),
    log: pino({ level: "silent" }),
  });
  return { watch, done };
}

test("only a full datastore's guest is let run by itself; one that is off is ended; all others are left alone", async () => {
  for (const reason of [
    "user",
    "io-error",
    "guest-panicked",
    "watchdog",
    "internal-error",
    "suspended",
  ] as const) {
    const { watch, done } = watched(reason, roomBytes * 2);
    await watch.look();
    expect({ reason, done }).toEqual({ reason, done: [] });
  }
  const full = watched("no-space", roomBytes * 2);
  await full.watch.look();
  await full.watch.look();
  expect(full.done).toEqual(["resume"]);
  const off = watched("shutdown", 0);
  await off.watch.look();
  expect(off.done).toEqual(["end"]);
});

test("a datastore that cannot be looked at has no room", async () => {
  const { watch, done } = watched("no-space", new Error("ESTALE"));
  await watch.look();
  expect(done).toEqual([]);
});
