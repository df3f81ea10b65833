/** What guests have of their memory is reported as their QEMUs answered last; one that does not answer holds no report up. */
import type { VmId, VmState } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { expect, test } from "vitest";
import { GuestMemory } from "../../src/host/guest-memory.ts";

const id = "6a8f5f0e-8f5d-4b52-9d3a-2b8f4c1f0a11" as VmId;

/** Whose answers come when the test says so. */
function guest(balloon: object | undefined, state: VmState = "running") {
  const asked: PromiseWithResolvers<{ actual: number }>[] = [];
  const execute = () => {
    const answer = Promise.withResolvers<{ actual: number }>();
    asked.push(answer);
    return answer.promise;
  };
  const process = { vmId: id, spec: { vm: { balloon } }, qmp: { execute } } as unknown as QemuProcess;
  const processes = { present: [process], of: () => process, stateOf: () => state };
  return { asked, memory: new GuestMemory(processes) };
}

test("the last answer of a QEMU is reported until it fails to give one", async () => {
  const { asked, memory } = guest({});
  const first = memory.refresh();
  asked[0]?.resolve({ actual: 1024 });
  await first;
  expect(memory.of(id)).toEqual({ guestMemoryBytes: 1024 });
  const second = memory.refresh();
  asked[1]?.reject(new Error("it did not answer"));
  await second;
  expect(memory.of(id)).toEqual({ guestMemoryBytes: null });
});

test("a report goes on without a QEMU that does not answer, which is not asked again meanwhile", async () => {
  const { asked, memory } = guest({});
  await memory.refresh();
  await memory.refresh();
  expect(memory.of(id)).toEqual({ guestMemoryBytes: null });
  expect(asked).toHaveLength(1);
});

test("a VM without a balloon, and one that only arrives, are not asked", async () => {
  for (const { asked, memory } of [guest(undefined), guest({}, "incoming")]) {
    await memory.refresh();
    expect(memory.of(id)).toEqual({});
    expect(asked).toEqual([]);
  }
});
