/** A VM that is set aside is told of, is looked at again, and comes back or is gone; its claim lasts exactly as long. */
import { GodwitError, vmSchema, type Vm } from "@godwit/contract";
import { guestState, type Adopted, type QemuProcess } from "@godwit/hypervisor";
import { pino } from "pino";
import { beforeEach, expect, test } from "vitest";
import { EventLog } from "../src/event-log.ts";
import { Processes } from "../src/qemu/processes.ts";
import { SetAside } from "../src/vms/set-aside.ts";
import { Claims } from "../src/vms/claims.ts";

const vm: Vm = vmSchema.parse({
  ...{ version: 1, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", disks: [], nics: [] },
});
const nothing: Adopted = { processes: [], ended: [], unresponsive: [], quarantined: [] };
const spec = { vm, incoming: false } as Adopted["unresponsive"][number];
const broken: Adopted = {
  ...nothing,
  quarantined: [
    {
      vmId: vm.id,
      error: GodwitError.of("VM_RUN_FOLDER_INVALID", {
        ...{ vm: vm.id, host: "a", folder: `/run/godwit/vms/${vm.id}` },
        reason: "runtime.json is no JSON",
      }),
    },
  ],
};
const processOf = (status: string, incoming = false) =>
  ({
    ...{ vmId: vm.id, spec: { vm, incoming }, identity: { pid: 1, startTicks: 1 }, startedAt: "" },
    ...{ onEvent: () => undefined, ended: new Promise(() => undefined), release: () => undefined },
    guestState: async () => guestState(status === "running", status, []),
    keepWhenOff: async () => undefined,
  }) as unknown as QemuProcess;

let found: Adopted;
let inMove: boolean;
let takeUp: () => Promise<void>;
let told: string[];
let processes: Processes;
let claims: Claims;
let setAside: SetAside;
beforeEach(async () => {
  found = broken;
  inMove = false;
  takeUp = async () => {
    told.push((await isBusy()) ? "taken up late" : "taken up");
    inMove = false;
  };
  told = [];
  processes = new Processes(
    new EventLog(),
    () => undefined,
    () => undefined,
  );
  claims = new Claims();
  setAside = new SetAside({
    ...{ processes, claims, log: pino({ level: "silent" }) },
    hypervisor: { adoptOne: async () => found },
    moves: { isUnanswerable: () => inMove, takeUp: () => takeUp() },
    onBack: async () => void told.push("back"),
    onGone: async () => void told.push("gone"),
    onChange: () => void told.push("change"),
  });
  await setAside.add(vm, "its QEMU process does not answer");
});
const isBusy = () =>
  claims.claim(vm, "it is being stopped").then(
    (claim) => {
      claim[Symbol.dispose]();
      return false;
    },
    () => true,
  );

test("while nothing is repaired it stays claimed, and the newest reason is told", async () => {
  expect(setAside.all).toEqual([{ id: vm.id, name: "web-1", reason: "its QEMU process does not answer" }]);
  await Promise.all([setAside.lookAgain(vm.id), setAside.lookAgain()]);
  expect(setAside.all).toMatchObject([
    { reason: expect.stringContaining("runtime.json is no JSON") as string },
  ]);
  expect([await isBusy(), setAside.has(vm.id), told]).toEqual([true, true, ["change"]]);
  found = { ...nothing, unresponsive: [spec] };
  await setAside.lookAgain(vm.id);
  expect(setAside.all).toMatchObject([{ reason: "its QEMU process does not answer" }]);
});

test("a QEMU that answers again is in the list as what it is, and commands on the VM are accepted", async () => {
  for (const [status, state] of [
    ["running", "running"],
    ["paused", "paused"],
    ["shutdown", "stopping"],
  ] as const) {
    found = { ...nothing, processes: [processOf(status)] };
    await Promise.all([setAside.lookAgain(vm.id), setAside.lookAgain(vm.id)]);
    expect(processes.stateOf(vm.id)).toBe(state);
    const reason = { running: null, paused: "user", shutdown: "shutdown" }[status];
    expect(processes.pauseReasonOf(vm.id)).toBe(reason);
    expect([await isBusy(), setAside.all]).toEqual([false, []]);
    await setAside.add(vm, "again");
  }
  expect(told).toEqual(["change", "back", "change", "back", "change", "back"]);
});

test("one that has ended is lost; one that an operator has taken away is not there", async () => {
  found = nothing;
  await setAside.lookAgain(vm.id);
  expect([await isBusy(), processes.runtimes, told]).toEqual([false, [], ["change"]]);
  await setAside.add(vm, "again");
  found = { ...nothing, ended: [{ spec, reason: "" }] };
  await setAside.lookAgain(vm.id);
  expect(processes.runtimes).toMatchObject([{ id: vm.id, state: "lost" }]);
  expect([await isBusy(), told]).toEqual([false, ["change", "gone", "change"]]);
});

test("a QEMU that waits for a move which nobody knows is left to a restart of the agent", async () => {
  found = { ...nothing, processes: [processOf("inmigrate", true)] };
  await setAside.lookAgain(vm.id);
  expect(setAside.all).toMatchObject([{ reason: expect.stringContaining("restart the agent") as string }]);
  expect([await isBusy(), processes.present]).toEqual([true, []]);
});

test("a move that waits for the QEMU goes on when that answers, and when it is gone", async () => {
  inMove = true;
  await setAside.lookAgain(vm.id);
  expect([await isBusy(), inMove]).toEqual([true, true]);
  found = { ...nothing, processes: [processOf("inmigrate", true)] };
  await setAside.lookAgain(vm.id);
  expect([processes.stateOf(vm.id), setAside.all]).toEqual(["incoming", []]);
  expect(told).toEqual(["change", "taken up", "change", "back"]);

  await setAside.add(vm, "again");
  [inMove, told] = [true, []];
  found = { ...nothing, ended: [{ spec, reason: "" }] };
  await setAside.lookAgain(vm.id);
  // The move is over, so that nobody else clears what is left.
  expect([told, setAside.all]).toEqual([["taken up", "gone", "change"], []]);

  await setAside.add(vm, "again");
  [inMove, told] = [true, []];
  const takesUp = takeUp;
  takeUp = async () => {
    await takesUp();
    await claims.claim(vm, "it is being moved");
  };
  await setAside.lookAgain(vm.id);
  expect([told, setAside.all]).toEqual([["taken up", "change"], []]);
});

test("a QEMU that answers and is silent again before its move is taken up stays set aside", async () => {
  inMove = true;
  found = { ...nothing, processes: [processOf("running")] };
  const takesUp = takeUp;
  takeUp = () => Promise.reject(new Error("it does not answer"));
  await setAside.lookAgain(vm.id);
  expect([await isBusy(), setAside.has(vm.id), processes.present]).toEqual([true, true, []]);
  takeUp = takesUp;
  await setAside.lookAgain(vm.id);
  expect([await isBusy(), setAside.all, processes.stateOf(vm.id)]).toEqual([false, [], "running"]);
});
