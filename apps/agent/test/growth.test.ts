/** What others can make an agent remember stays bounded, however long it runs. */
import { vmSchema, type VmId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { Processes } from "../src/qemu/processes.ts";
import { RecentSet } from "../src/recent-set.ts";

const rounds = 10_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const vmOf = (round: number) =>
  vmSchema.parse({
    version: 1,
    id: `6a8f5f0e-8f5d-4b52-9d3a-${round.toString(16).padStart(12, "0")}`,
    name: `vm-${String(round)}`,
    datastore: "shared",
    memoryMib: 64,
    vcpus: 1,
    cpu: { model: "qemu64-v1" },
    machine: "pc-q35-7.2",
    disks: [],
    nics: [],
  });

function processOf(round: number): QemuProcess {
  const vm = vmOf(round);
  return {
    vmId: vm.id,
    spec: { vm, accelerator: "tcg" },
    identity: { pid: round + 1, startTicks: 1 },
    startedAt: "",
    user: { uid: 990, gid: 990 },
    onEvent: () => ({ [Symbol.dispose]: () => undefined }),
    ended: new Promise(() => undefined),
  } as unknown as QemuProcess;
}

test("of 10,000 VMs that ended the last 300 are told of, and every one that runs", () => {
  const processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  const running: VmId[] = [];
  for (let round = 0; round < rounds; round++) {
    const process = processOf(round);
    processes.add(process, "running");
    if (round % 1000 === 0) running.push(process.vmId);
    else if (round % 2 === 0) processes.remove(process.vmId, "stopped");
    else if (round % 3 === 0) processes.addGone(process.spec.vm);
    else processes.remove(process.vmId, "moved");
  }
  vi.advanceTimersByTime(1000);
  expect(processes.present.map(({ vmId }) => vmId)).toEqual(running);
  expect(processes.runtimes.length).toBe(running.length + 300);
  const last = vmOf(rounds - 2).id;
  expect(processes.stateOf(last)).toBe("stopped");
  processes.forget(last);
  expect(processes.stateOf(last)).toBeUndefined();
  expect(processes.stateOf(vmOf(2).id)).toBeUndefined();
});

test("a VM that is started again has one entry, and counts as new when it ends", () => {
  const processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  for (let round = 0; round < rounds; round++) {
    processes.add(processOf(round % 7), "running");
    processes.remove(vmOf(round % 7).id, "stopped");
  }
  expect(processes.runtimes).toHaveLength(7);
});

test("of 10,000 refused moves the last 1,000 are remembered", () => {
  const refused = new RecentSet<string>(1000);
  for (let round = 0; round < rounds; round++) {
    refused.add(String(round));
    refused.add(String(round));
  }
  expect(refused.size).toBe(1000);
  expect(refused.has(String(rounds - 1000))).toBe(true);
  expect(refused.has(String(rounds - 1001))).toBe(false);
});

test("memory that was added to a VM that runs counts as its own, as that of any other", () => {
  const processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  const process = processOf(0);
  processes.add(process, "running");
  Object.assign(process.spec, { vm: { ...process.spec.vm, memoryMib: 192 } });
  expect(processes.runtimes.map(({ memoryMib }) => memoryMib)).toEqual([192]);
});
