/** Where a VM is, by what hosts report: an old host never takes it back. */
import { hasProcess, vmStateSchema, type VmId, type VmRuntime } from "@godwit/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isConfirmed, placeByReport } from "../src/index.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const runtime = (state: VmRuntime["state"], pid: number | null): VmRuntime => ({
  id,
  name: "web-1",
  state,
  pid,
  accelerator: "kvm",
  startedAt: null,
  memoryMib: 64,
  pauseReason: null,
});
const from = (host: string, ...vms: VmRuntime[]) => [host, vms] as const;

test("a VM is where its process is", () => {
  expect(placeByReport({ id, host: "a", state: "running" }, ...from("b", runtime("running", 7)))).toEqual({
    host: "b",
    state: "running",
  });
});

test("what ended on a host it has left since says nothing any more", () => {
  expect(placeByReport({ id, host: "b", state: "running" }, ...from("a", runtime("lost", null)))).toBe(null);
  expect(placeByReport({ id, host: "b", state: "stopped" }, ...from("a", runtime("stopped", null)))).toBe(
    null,
  );
  expect(placeByReport({ id, host: "a", state: "running" }, ...from("a", runtime("stopped", null)))).toEqual({
    host: "a",
    state: "stopped",
  });
});

test("a move's destination is no place yet, and a process that is gone without a word is lost", () => {
  expect(placeByReport({ id, host: "a", state: "running" }, ...from("b", runtime("incoming", 7)))).toBe(null);
  expect(placeByReport({ id, host: "a", state: "running" }, ...from("a"))).toEqual({
    host: "a",
    state: "lost",
  });
  expect(placeByReport({ id, host: "a", state: "stopped" }, ...from("a"))).toBe(null);
});

test("whatever is reported: only the reporting host is ever told, and one that has no process takes no VM from another", () => {
  const anyState = fc.constantFrom(...vmStateSchema.options);
  const anyReport = fc.option(fc.record({ state: anyState, pid: fc.constantFrom(null, 7) }), { nil: null });
  fc.assert(
    fc.property(fc.constantFrom("a", "b"), anyState, anyReport, (host, state, report) => {
      const vms = report === null ? [] : [runtime(report.state, report.pid)];
      const place = placeByReport({ id, host, state }, ...from("a", ...vms));
      const isHere = report !== null && report.pid !== null && report.state !== "incoming";
      if (isHere) expect(place).toEqual({ host: "a", state: report.state });
      else if (host === "b") expect(place).toBe(null);
      else if (report === null)
        expect(place).toEqual(hasProcess({ state }) ? { host: "a", state: "lost" } : null);
      else expect(place).toEqual(report.state === "incoming" ? null : { host: "a", state: report.state });
    }),
  );
});

test("a host's word for a VM of another host is confirmed by the VM's lease only", () => {
  const holders = [{ host: "a", mode: "EX" as const, since: null, fresh: true, freeInMs: null }];
  expect(isConfirmed("a", { holders })).toBe(true);
  expect(isConfirmed("b", { holders })).toBe(false);
  expect(isConfirmed("b", { holders: [] })).toBe(false);
});
