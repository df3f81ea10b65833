/** Where a VM is, by what hosts report: an old host never takes it back. */
import type { VmId, VmRuntime } from "@godwit/contract";
import { expect, test } from "vitest";
import { placeByReport } from "../src/hosts/place-by-report.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const runtime = (state: VmRuntime["state"], pid: number | null): VmRuntime => ({
  id,
  name: "web-1",
  state,
  pid,
  accelerator: "kvm",
  startedAt: null,
  memoryMib: 64,
});
const from = (name: string, ...vms: VmRuntime[]) => ({ name, vms });

test("a VM is where its process is", () => {
  expect(placeByReport({ id, host: "a", state: "running" }, from("b", runtime("running", 7)))).toEqual({
    host: "b",
    state: "running",
  });
});

test("what ended on a host it has left since says nothing any more", () => {
  expect(placeByReport({ id, host: "b", state: "running" }, from("a", runtime("lost", null)))).toBe(null);
  expect(placeByReport({ id, host: "b", state: "stopped" }, from("a", runtime("stopped", null)))).toBe(null);
  expect(placeByReport({ id, host: "a", state: "running" }, from("a", runtime("stopped", null)))).toEqual({
    host: "a",
    state: "stopped",
  });
});

test("a move's destination is no place yet, and a process that is gone without a word is lost", () => {
  expect(placeByReport({ id, host: "a", state: "running" }, from("b", runtime("incoming", 7)))).toBe(null);
  expect(placeByReport({ id, host: "a", state: "running" }, from("a"))).toEqual({ host: "a", state: "lost" });
  expect(placeByReport({ id, host: "a", state: "stopped" }, from("a"))).toBe(null);
});
