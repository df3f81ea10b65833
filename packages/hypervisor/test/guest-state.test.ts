/** Why a guest stands still, by QEMU's words. */
import { expect, test } from "vitest";
import { guestState, stopReasonOf } from "../src/index.ts";

test("a guest that runs has no reason, whatever its disks had before", () => {
  expect(guestState(true, "running", ["ok"])).toEqual({ runs: true, status: "running", pauseReason: null });
});

test("what QEMU has stopped is told by its run state", () => {
  for (const reason of ["guest-panicked", "watchdog", "internal-error", "shutdown"] as const)
    expect(guestState(false, reason, ["ok"])).toMatchObject({ runs: false, pauseReason: reason });
  expect(guestState(false, "io-error", ["ok", "failed"])).toMatchObject({ pauseReason: "io-error" });
  expect(guestState(false, "io-error", ["ok", "nospace"])).toMatchObject({ pauseReason: "no-space" });
});

test("a guest that is asleep would run: a move wakes nothing and pauses nothing", () => {
  expect(guestState(false, "suspended", [])).toMatchObject({ runs: true, pauseReason: "suspended" });
});

test("states that a move makes too hide an I/O error, which the disks tell; a user's pause they do not", () => {
  for (const status of ["paused", "finish-migrate", "postmigrate"]) {
    expect(guestState(false, status, ["ok"])).toMatchObject({ pauseReason: null });
    expect(guestState(false, status, ["nospace"])).toMatchObject({ pauseReason: "no-space" });
    expect(guestState(false, status, ["failed"])).toMatchObject({ pauseReason: "io-error" });
  }
});

test("only events that stop the guest are reasons", () => {
  const io = (action: string, nospace: boolean) => ({
    name: "BLOCK_IO_ERROR" as const,
    data: { action, nospace },
  });
  expect(stopReasonOf(io("stop", true))).toBe("no-space");
  expect(stopReasonOf(io("stop", false))).toBe("io-error");
  expect(stopReasonOf(io("report", false))).toBeNull();
  expect(stopReasonOf({ name: "GUEST_PANICKED", data: { action: "pause" } })).toBe("guest-panicked");
  expect(stopReasonOf({ name: "GUEST_PANICKED", data: { action: "run" } })).toBeNull();
  expect(stopReasonOf({ name: "WATCHDOG", data: { action: "pause" } })).toBe("watchdog");
  expect(stopReasonOf({ name: "WATCHDOG", data: { action: "reset" } })).toBeNull();
  expect(stopReasonOf({ name: "SHUTDOWN", data: { guest: true, reason: "guest-shutdown" } })).toBe(
    "shutdown",
  );
  // QEMU itself is ended: by `quit`, by a signal. Nothing of the guest's doing.
  expect(stopReasonOf({ name: "SHUTDOWN", data: { guest: false, reason: "host-signal" } })).toBeNull();
  expect(stopReasonOf({ name: "STOP", data: {} })).toBeNull();
});
