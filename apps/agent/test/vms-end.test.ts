/**
 * How a VM ends on its host: it is told as stopped only when its QEMU is gone and its lease given back, whoever else
 * works on it, and whatever fails on the way.
 */
import type { Vm, VmId } from "@godwit/contract";
import { vmSchema } from "@godwit/contract";
import type { GuestState, QemuProcess } from "@godwit/hypervisor";
import { until } from "@godwit/system";
import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { removeVm } from "../src/moves/vm-removal.ts";
import { Processes } from "../src/qemu/processes.ts";
import { Claims } from "../src/vms/claims.ts";
import { Vms, type VmsParts } from "../src/vms/vms.ts";

const vm: Vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const log = pino({ level: "silent" });

/** What was done, in order. */
let done: string[];
let processes: Processes;
let claims: Claims;
let vms: Vms;
/** Of the lease: settles when the storage answers. */
let release: PromiseWithResolvers<string | null>;

/** A QEMU that ends when the test says so. */
class FakeQemu {
  readonly vmId: VmId = vm.id;
  readonly spec = { vm, incoming: false, accelerator: "tcg" };
  readonly identity = { pid: 1, startTicks: 1 };
  readonly startedAt = "2026-11-28T00:00:00Z";
  readonly user = { uid: 1, gid: 1 };
  readonly #gone = Promise.withResolvers<{ reason: string; heardAll: boolean }>();
  readonly ended = this.#gone.promise;
  guest: GuestState = { runs: true, status: "running", pauseReason: null };
  refusals: Error[] = [];
  readonly #listeners: ((event: object) => void)[] = [];

  onEvent(listener: (event: object) => void): Disposable {
    this.#listeners.push(listener);
    return { [Symbol.dispose]: () => undefined };
  }
  shutsDown(): void {
    this.guest = { runs: false, status: "shutdown", pauseReason: "shutdown" };
    for (const listener of this.#listeners) listener({ name: "SHUTDOWN", data: { guest: true } });
  }
  isGone(): void {
    this.#gone.resolve({ reason: "", heardAll: true });
  }
  async guestState(): Promise<GuestState> {
    return this.guest;
  }
  async end(): Promise<void> {
    const refusal = this.refusals.shift();
    done.push(refusal === undefined ? "end" : "end refused");
    if (refusal !== undefined) throw refusal;
    await this.ended;
  }
  async removeFolder(): Promise<void> {
    done.push("folder");
  }
}

let qemu: FakeQemu;
beforeEach(() => {
  done = [];
  release = Promise.withResolvers();
  claims = new Claims();
  processes = new Processes(
    new EventLog(),
    (process) => void vms.clearAfter(process),
    (process) => void vms.endShutDown(process),
  );
  const parts = {
    ...{ processes, claims, log },
    environment: { release: async () => void done.push("taps") },
    leases: {
      releaseUnlessShared: async () => {
        done.push("release");
        return await release.promise;
      },
    },
  };
  vms = new Vms(parts as unknown as VmsParts);
  qemu = new FakeQemu();
  processes.add(qemu as unknown as QemuProcess, "running");
});
const state = () => processes.stateOf(vm.id);
const becomes = async (expected: string) => {
  await until(() => state() === expected, { everyMs: 5, limitMs: 60_000 });
  expect(state()).toBe(expected);
};
const does = async (what: string) => {
  await until(() => done.includes(what), { everyMs: 5, limitMs: 60_000 });
};

test("a VM is told as stopped when its QEMU is gone and its lease is given back, and not before", async () => {
  const stopped = vms.stop(vm.id, 0);
  await does("end");
  expect({ state: state(), process: processes.of(vm.id) }).toEqual({ state: "stopping", process: qemu });
  // Who asks again meanwhile has the same end, and not before.
  let told = 0;
  const ask = async (): Promise<string | null> => await vms.stop(vm.id, 0).finally(() => (told += 1));
  const again = [ask()];
  qemu.isGone();
  await does("release");
  expect({ state: state(), process: processes.of(vm.id) }).toEqual({ state: "stopping", process: undefined });
  again.push(ask());
  expect(told).toBe(0);
  release.resolve(null);
  expect(await Promise.all([stopped, ...again])).toEqual([null, null, null]);
  expect({ state: state(), done }).toEqual({ state: "stopped", done: ["end", "taps", "release"] });
  expect(await vms.stop(vm.id, 0)).toBeNull();
});

test("a lease that cannot be given back does not hold up the end, and is told", async () => {
  release.resolve("no answer came in time");
  const stopped = vms.stop(vm.id, 0);
  await does("end");
  qemu.isGone();
  expect(await stopped).toBe("no answer came in time");
  expect(state()).toBe("stopped");
});

test("a QEMU that could not be ended is not taken for one that is gone", async () => {
  qemu.refusals = [new Error("ENOMEM")];
  release.resolve(null);
  const stopped = vms.stop(vm.id, 0);
  await does("end refused");
  expect(done).toEqual(["end refused"]);
  expect(state()).toBe("stopping");
  qemu.isGone();
  await stopped;
  expect(done.at(-1)).toBe("release");
});

test("the same at both ends of a move: nobody gives the lease back before", async () => {
  qemu.refusals = [new Error("ENOMEM")];
  const environment = { release: async () => void done.push("taps") };
  const removed = removeVm(
    { processes, environment } as unknown as Parameters<typeof removeVm>[0],
    log,
    vm,
    qemu as unknown as QemuProcess,
    "moved",
  );
  await does("end refused");
  expect({ done, process: processes.of(vm.id) }).toEqual({ done: ["end refused"], process: qemu });
  qemu.isGone();
  await removed;
  expect({ done, state: state() }).toEqual({ done: ["end refused", "taps"], state: undefined });
});

test("a guest that shuts itself down while somebody works on its VM is ended right after", async () => {
  release.resolve(null);
  const claim = await claims.claim(vm, "it is being paused");
  qemu.shutsDown();
  qemu.shutsDown();
  await new Promise(setImmediate);
  expect({ done, state: state() }).toEqual({ done: [], state: "stopping" });
  claim[Symbol.dispose]();
  await does("end");
  qemu.isGone();
  await becomes("stopped");
  expect(done).toEqual(["end", "taps", "release"]);
});

test("a guest that is let run, and has shut itself down at once, is not told as running", () => {
  qemu.shutsDown();
  processes.mark(vm.id, "running");
  expect(state()).toBe("stopping");
  expect(processes.pauseReasonOf(vm.id)).toBe("shutdown");
});

test("whoever shut its guest down, a QEMU that is gone by itself is stopped when its lease is given back", async () => {
  const claim = await claims.claim(vm, "it is being moved");
  qemu.shutsDown();
  qemu.isGone();
  await until(() => processes.of(vm.id) === undefined, { everyMs: 5, limitMs: 60_000 });
  expect({ done, state: state() }).toEqual({ done: [], state: "stopping" });
  claim[Symbol.dispose]();
  await does("release");
  expect(state()).toBe("stopping");
  release.resolve(null);
  await becomes("stopped");
});

test("a QEMU that dies is lost at once, and its lease is given back without waiting for the next look", async () => {
  release.resolve(null);
  qemu.isGone();
  await becomes("lost");
  await does("release");
  expect(done).toEqual(["folder", "taps", "release"]);
  expect(state()).toBe("lost");
});
