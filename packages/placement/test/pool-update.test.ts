/** A rolling update: its order, what it shows, and how it ends. */
import type { HostUpdate } from "@godwit/contract";
import { expect, test } from "vitest";
import {
  commandTrouble,
  currentHost,
  lostParts,
  newHostUpdate,
  updateEnd,
  updateOrder,
  updateSteps,
} from "../src/index.ts";

const at = "2026-11-29T00:00:00.000Z";
const host = (name: string, change: Partial<HostUpdate> = {}): HostUpdate => ({
  ...newHostUpdate(name),
  ...change,
});
const done = (name: string) => host(name, { phase: "done", startedAt: at, endedAt: at });
const going = { cancelling: false, inMaintenance: false };

test("hosts with the least to move come first, and by name where that is the same", () => {
  const hosts = [
    { host: "c", bytes: 1 },
    { host: "b", bytes: 0 },
    { host: "a", bytes: 1 },
  ];
  expect(updateOrder(hosts).map((one) => one.host)).toEqual(["b", "a", "c"]);
});

test("one host is under way at a time, and none begins after one that was stopped", () => {
  expect(currentHost([done("a"), host("b"), host("c")])?.host).toBe("b");
  expect(currentHost([done("a"), host("b", { phase: "stopped" }), host("c")])).toBeNull();
  expect(currentHost([done("a")])).toBeNull();
});

test("the end names what was done, what was not begun, and whether the host that was stopped takes VMs", () => {
  const stopped = host("b", {
    phase: "stopped",
    startedAt: at,
    detail: "its command ended with exit code 1",
  });
  expect(updateEnd("east", [done("a"), done("b")], going)).toBeNull();
  expect(updateEnd("east", [done("a"), stopped, host("c")], { ...going, inMaintenance: true })).toMatchObject(
    {
      code: "POOL_UPDATE_STOPPED",
      detail:
        "The update of pool east stopped at host b: its command ended with exit code 1. Host b takes no VMs until it is taken back. Updated: a; not started: c.",
    },
  );
  expect(updateEnd("east", [host("b", { phase: "stopped" })], going)?.detail).toContain("was left as it was");
  expect(updateEnd("east", [done("a"), host("b")], { ...going, cancelling: true })).toMatchObject({
    code: "POOL_UPDATE_CANCELLED",
    detail: "The update of pool east was cancelled. Updated: a; not started: b.",
  });
  // Cancelled when all was done: it has succeeded.
  expect(updateEnd("east", [done("a")], { ...going, cancelling: true })).toBeNull();
});

test("steps are the hosts that have begun", () => {
  const steps = updateSteps([done("a"), host("b", { phase: "running", startedAt: at }), host("c")]);
  expect(steps.map(({ name, state, detail }) => [name, state, detail])).toEqual([
    ["update host a", "done", null],
    ["update host b", "running", "the command runs"],
  ]);
});

test("a command's end is trouble unless its exit code is 0, and its last line says why", () => {
  const ended = (exitCode: number, output = "") => commandTrouble({ state: "ended", exitCode, output }, 60);
  expect(ended(0, "E: bad")).toBeNull();
  expect(ended(100, "Reading…\nE: Unable to fetch some archives.\n")).toBe(
    "its command ended with exit code 100 (E: Unable to fetch some archives)",
  );
  expect(ended(3)).toBe("its command ended with exit code 3");
  expect(ended(124)).toBe("its command did not end within 60 s");
  expect(commandTrouble({ state: "interrupted", exitCode: null, output: "" }, 60)).toContain("not known");
});

test("what worked before and does not now is named; what is new is no trouble", () => {
  expect(lostParts(["KVM", "datastore vms"], ["datastore vms", "KVM", "port group lab"])).toBeNull();
  expect(lostParts(["KVM", "datastore vms"], ["KVM"])).toContain("datastore vms");
});
