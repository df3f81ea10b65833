/** A cancellation ends the suspension of its own task only: one that arrives late leaves the next one alone. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, type TaskId } from "@godwit/contract";
import { Datastore, markDatastore, saveVm } from "@godwit/storage";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { Claims } from "../src/vms/claims.ts";
import { Suspensions, type SuspensionsParts } from "../src/vms/suspensions.ts";

const vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const task = (number: number) => `33333333-3333-4333-8333-33333333333${String(number)}` as TaskId;
const place = { datastore: "shared", name: vm.name };

let folder: string;
let datastore: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-suspension-"));
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
  await mkdir(join(folder, vm.name));
  await saveVm(datastore, vm);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

interface Noted {
  ran: boolean;
  task?: TaskId;
}

/** An agent that finds a VM whose suspension was cut off. @param suspending as the agent before it has noted it */
function found(suspending: Noted | undefined) {
  let runs = 0;
  let looks = 0;
  const saving = { status: "failed" };
  const spec: { vm: typeof vm; suspending: Noted | undefined } = { vm, suspending };
  const process = {
    ...{ vmId: vm.id, spec },
    migration: {
      query: () => {
        looks += 1;
        return Promise.resolve(saving);
      },
    },
    status: () => Promise.resolve({ running: false, status: "paused" }),
    noteSuspending: (noted: Noted | null) => {
      spec.suspending = noted ?? undefined;
      return Promise.resolve();
    },
  };
  const parts = {
    ...{
      config: { name: "a" },
      claims: new Claims(),
      events: new EventLog(),
      log: pino({ level: "silent" }),
    },
    environment: { datastore: () => Promise.resolve(datastore) },
    processes: { of: () => process, stateOf: () => "paused", pauseReasonOf: () => null },
    vms: {
      letRun: () => {
        runs += 1;
        spec.suspending = undefined;
        return Promise.resolve();
      },
    },
  };
  const suspensions = new Suspensions(parts as unknown as SuspensionsParts);
  return { suspensions, saving, spec, runs: () => runs, looks: () => looks };
}

test("its own ends: the guest runs on", async () => {
  const { suspensions, runs } = found({ ran: true, task: task(1) });
  expect(await suspensions.cancel(vm.id, place, task(1))).toBe(true);
  expect(runs()).toBe(1);
});

test("one of an earlier agent, which noted no task, ends", async () => {
  const { suspensions, runs } = found({ ran: true });
  expect(await suspensions.cancel(vm.id, place, task(1))).toBe(true);
  expect(runs()).toBe(1);
});

test("another task's goes on", async () => {
  const { suspensions, runs } = found({ ran: true, task: task(2) });
  expect(await suspensions.cancel(vm.id, place, task(1))).toBe(true);
  expect(runs()).toBe(0);
});

test("one that a second task has joined is that task's: its cancellation ends it, and a late one of the first does not", async () => {
  const { suspensions, saving, spec, runs, looks } = found({ ran: true, task: task(1) });
  saving.status = "active";
  const outcome = (asked: Promise<unknown>) => asked.catch((error: unknown) => error);
  const first = outcome(suspensions.suspend(vm.id, place, task(1)));
  await vi.waitUntil(() => looks() > 0, { timeout: 60_000 });
  const second = outcome(suspensions.suspend(vm.id, place, task(2)));
  expect(await suspensions.cancel(vm.id, place, task(1))).toBe(true);
  expect(spec.suspending).toEqual({ ran: true, task: task(2) });
  const cancelled = suspensions.cancel(vm.id, place, task(2));
  saving.status = "failed";
  expect(await cancelled).toBe(true);
  for (const ended of [await first, await second]) expect(ended).toMatchObject({ code: "SUSPEND_CANCELLED" });
  expect(runs()).toBe(1);
});
