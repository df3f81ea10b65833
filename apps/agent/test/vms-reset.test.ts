/** A VM is reset once for each task, also by an agent that was started again since. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, type TaskId } from "@godwit/contract";
import type { QemuProcess } from "@godwit/hypervisor";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { Processes } from "../src/qemu/processes.ts";
import { Claims } from "../src/vms/claims.ts";
import { Vms, type VmsParts } from "../src/vms/vms.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const task = (number: number) => `33333333-3333-4333-8333-33333333333${String(number)}` as TaskId;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-reset-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** QEMU, and what is kept beside it. */
class Machine {
  resets = 0;
  kept: { lastReset?: TaskId } = {};
  isDiskFull = false;

  /** An agent that has started and finds it. */
  agent(): Vms {
    const processes = new Processes(
      new EventLog(),
      () => undefined,
      () => undefined,
    );
    const spec = { vm, incoming: false, accelerator: "tcg", ...this.kept };
    const process = {
      ...{ vmId: vm.id, spec, identity: { pid: 1, startTicks: 1 }, startedAt: "2026-11-28T00:00:00Z" },
      ...{
        user: { uid: 1, gid: 1 },
        ended: new Promise(() => undefined),
        paths: { guestAgent: join(folder, "agent.sock") },
      },
      onEvent: () => ({ [Symbol.dispose]: () => undefined }),
      reset: async () => {
        this.resets += 1;
      },
      noteReset: async (lastReset: TaskId) => {
        Object.assign(spec, { lastReset });
        if (this.isDiskFull) throw new Error("no space");
        this.kept = { lastReset };
      },
    };
    processes.add(process as unknown as QemuProcess, "running");
    const guests = { wasReset: () => undefined };
    const parts = {
      config: { name: "a" },
      processes,
      claims: new Claims(),
      guests,
      log: pino({ level: "silent" }),
    };
    return new Vms(parts as unknown as VmsParts);
  }
}

test("what an earlier agent has reset for a task is not reset again for it, and for another one it is", async () => {
  const machine = new Machine();
  await machine.agent().reset(vm.id, task(1), false);
  const next = machine.agent();
  expect(await next.reset(vm.id, task(1), true)).toMatchObject({ name: "web-1", state: "running" });
  expect(machine.resets).toBe(1);
  await next.reset(vm.id, task(2), false);
  expect(machine.resets).toBe(2);
});

test("one that could not be noted is made, and known to the agent that made it", async () => {
  const machine = new Machine();
  machine.isDiskFull = true;
  const agent = machine.agent();
  await agent.reset(vm.id, task(1), false);
  await agent.reset(vm.id, task(1), false);
  expect(machine.resets).toBe(1);
});
