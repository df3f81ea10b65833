/** A task as people read it. */
import { expect, test } from "vitest";
import type { ImageCopy, MoveRecord, Task } from "@godwit/contract";
import { moveSummary, pauseText, progressText } from "../src/output/task-view.ts";

test("where the pause of a move went is one line, and what was not measured is no zero", () => {
  const pause = {
    ...{ decisionMs: 1.2, lastPagesMs: 3.1, vetoMs: 0.4, deviceStateMs: 12, commitMs: 0.1 },
    ...{ commitTravelMs: 0.3, contMs: 0.2, resumeMs: 3.4, announceMs: 4.5 },
  };
  expect(pauseText(pause)).toBe(
    "last pages 3.1 ms · last veto 0.4 ms · device state 12.0 ms · commit 0.1 ms · to the destination 0.3 ms · until cont 0.2 ms · until the guest runs 3.4 ms (decided 1.2 ms before, announced 4.5 ms after)",
  );
  expect(pauseText({ ...pause, decisionMs: null, vetoMs: null, announceMs: null })).toMatch(
    /last veto unknown .*until the guest runs 3.4 ms$/,
  );
});

test("the rate of a move is that of its copy: neither preparation nor clean-up counts", () => {
  const at = (second: number) => `2026-11-28T10:00:${String(second).padStart(2, "0")}.000Z`;
  const move = {
    ...{ vm: { id: "x", name: "web-1" }, from: "a", to: "b", maxOutageMs: 50, stopToContMs: 20 },
    ...{
      qemuDowntimeMs: 15,
      bytes: 100 * 1024 * 1024,
      rounds: 3,
      encrypted: true,
      backOuts: 0,
      totalMs: 50_000,
    },
    phases: [
      { phase: "preparing", at: at(0) },
      { phase: "copying", at: at(20) },
      { phase: "switching", at: at(29) },
      { phase: "committed", at: at(30) },
      { phase: "succeeded", at: at(50) },
    ],
  } as unknown as MoveRecord;
  expect(moveSummary(move)).toContain("100 MiB in 3 rounds at 10.0 MiB/s");
  expect(moveSummary(move)).not.toContain("CPU time");
  const [source, destination] = [
    { qemuMs: 900, agentMs: 120 },
    { qemuMs: 1200, agentMs: 80 },
  ];
  expect(moveSummary({ ...move, cpu: { source, destination } })).toContain(
    "CPU time beside the guest's vCPUs: a: QEMU 900 ms, agent 120 ms; b: QEMU 1.20 s, agent 80.0 ms",
  );
  expect(moveSummary({ ...move, cpu: { source } })).toMatch(/vCPUs: a: QEMU 900 ms, agent 120 ms$/m);
});

test("while an image is copied one line tells which, how far, how fast and how long it will take", () => {
  const mib = 2 ** 20;
  const creating = (progress: ImageCopy | null | undefined) =>
    progressText({
      ...{
        kind: "vm.create",
        subject: { kind: "vm", id: "x", name: "web-1" },
        state: "running",
        waitingFor: null,
      },
      ...{ steps: [{ name: "create the VM's folder and disks on shared" }], progress },
    } as unknown as Task);
  const copy: ImageCopy = {
    ...{ disk: "root", phase: "copying" as const, totalBytes: 4096 * mib, copiedBytes: 1024 * mib },
    ...{ bytesPerSecond: 100 * mib, etaMs: 30_720 },
  };
  expect(creating(copy)).toBe(
    "web-1: copying disk root · 25 % · 1.0 GiB of 4.0 GiB · 100 MiB/s · ETA 30.72 s",
  );
  expect(creating({ ...copy, etaMs: null })).not.toContain("ETA");
  expect(creating({ ...copy, phase: "flushing" })).toBe("web-1: writing out disk root (4.0 GiB)");
  // Of an earlier version's server, or before the first figure.
  for (const none of [null, undefined])
    expect(creating(none)).toBe("web-1: create the VM's folder and disks on shared");
});
