/** A VM is announced only from where it runs, and nobody moves it away before the last announcement is sent. */
import type { VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { announceVm, type AnnounceParts } from "../src/vms/announce-vm.ts";
import { Claims } from "../src/vms/claims.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => vi.useRealTimers());

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const [one, off] = [
  { mac: "52:54:00:00:00:01", portGroup: "office" },
  { mac: "52:54:00:00:00:02", portGroup: "office", connected: false },
];

function vmThat(state: "running" | "paused" | "stopped", nics: object[] = [one, off]) {
  const claims = new Claims();
  const announce = vi.fn(async () => undefined);
  const process = {
    spec: { vm: { name: "web-1", nics } },
    migration: { announce },
  } as unknown as QemuProcess;
  const parts: AnnounceParts = {
    ...{ claims, processes: { of: () => (state === "stopped" ? undefined : process), stateOf: () => state } },
  };
  return { claims, announce, announced: () => announceVm(parts, id) };
}

test("the connected NICs of a running VM are announced, and a move that begins meanwhile waits", async () => {
  const { claims, announce, announced } = vmThat("running");
  const done = announced();
  let isMoving = false;
  const move = claims.claim({ id, name: "web-1" }, "it is being moved").then((claim) => {
    isMoving = true;
    return claim;
  });
  await vi.advanceTimersByTimeAsync(900);
  expect([announce.mock.calls.length, isMoving]).toEqual([1, false]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await done).toEqual({ announced: [one] });
  using _claim = await move;
  // While it is moved it is not announced.
  await expect(announced()).rejects.toMatchObject({ code: "VM_BUSY" });
  expect(announce.mock.calls.length).toBe(1);
});

test("one that is asked for while another goes on is sent after it", async () => {
  const { announce, announced } = vmThat("running");
  const both = Promise.all([announced(), announced()]);
  await vi.advanceTimersByTimeAsync(900);
  expect(announce.mock.calls.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1300);
  expect(await both).toEqual([{ announced: [one] }, { announced: [one] }]);
  expect(announce.mock.calls.length).toBe(2);
});

test("one that does not run here is not, and the VM is free again", async () => {
  for (const state of ["paused", "stopped"] as const) {
    const { claims, announce, announced } = vmThat(state);
    await expect(announced()).rejects.toMatchObject({ code: "VM_NOT_RUNNING" });
    expect([announce.mock.calls.length, claims.claimed.size]).toEqual([0, 0]);
  }
  const { announce, announced } = vmThat("running", [off]);
  expect([await announced(), announce.mock.calls.length]).toEqual([{ announced: [] }, 0]);
});
