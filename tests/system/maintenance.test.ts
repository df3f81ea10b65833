/** A host is emptied for maintenance: its VMs go on elsewhere, and whatever fails or dies on the way, the state is true. */
import { GodwitError, isEnded, type Task } from "@godwit/contract";
import { TestLab, withoutBusyMachine } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

const names = ["web-1", "web-2", "web-3"];
let lab: TestLab;
beforeAll(async () => {
  lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  for (const name of names) await lab.boot({ name, on: "a", memoryMib: 192 });
  await lab.create({ name: "cold-1", on: "a", memoryMib: 192 });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const enter = (host: string, concurrency = 2) =>
  lab.api.call("hostMaintenanceEnter", { params: { host }, body: { concurrency, maxOutageMs: 10_000 } });
const exit = (host: string) => lab.api.call("hostMaintenanceExit", { params: { host } });
const maintenanceOf = async (host: string) =>
  (await lab.api.call("hostShow", { params: { host } })).maintenance;
/** Where each VM runs, asked of the machine. */
const runners = async (): Promise<Record<string, string[]>> => {
  const all: Record<string, string[]> = {};
  for (const name of names) all[name] = await lab.runnersOf(await lab.vm(name));
  return all;
};
const refusal = async (call: Promise<unknown>): Promise<GodwitError> => {
  const error = await call.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (GodwitError.is(error)) return error;
  throw new Error("it was not refused");
};

test("a host is emptied under load, takes nothing while it is in maintenance, and takes VMs again after it", async () => {
  await using load = await lab.load();
  const task = await lab.succeeded(enter("a"));
  expect(await load.finish([])).toMatchObject({ connections: 1, reconnects: 0, lost: 0, duplicated: 0 });
  expect(await maintenanceOf("a")).toBe("on");
  for (const where of Object.values(await runners())) {
    expect(where).toHaveLength(1);
    expect(where).not.toContain("a");
  }
  expect((await lab.vm("cold-1")).host).not.toBe("a");
  // On a busy machine a move may need a second attempt; each VM has one that succeeded.
  expect(
    task.steps
      .filter(({ state }) => state === "done")
      .map(({ key, subject }) => `${key} ${subject?.name ?? ""}`)
      .sort(),
  ).toEqual([...names.map((name) => `move ${name}`), "relocate cold-1"]);
  // To each destination one move at a time.
  const { tasks } = await lab.api.call("taskList", {});
  const moves = tasks.filter((one) => one.parent === task.id).filter((one) => one.kind === "vm.migrate");
  expect(moves.length).toBeGreaterThanOrEqual(3);
  for (const one of moves) {
    for (const other of moves) {
      if (one === other || one.request.to !== other.request.to) continue;
      const apart = (one.endedAt ?? "") <= other.createdAt || (other.endedAt ?? "") <= one.createdAt;
      expect(apart).toBe(true);
    }
  }

  const back = await refusal(lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a" } }));
  expect(withoutBusyMachine(back.findings).map(({ code }) => code)).toEqual(["DESTINATION_IN_MAINTENANCE"]);
  const description = { name: "web-4", datastore: "shared", memoryMib: 64 };
  const created = await refusal(lab.api.call("vmCreate", { body: { description, host: "a" } }));
  expect(created.code).toBe("DESTINATION_IN_MAINTENANCE");
  const started = await refusal(lab.api.call("vmStart", { params: { vm: "cold-1" }, body: { host: "a" } }));
  expect(withoutBusyMachine(started.findings).map(({ code }) => code)).toEqual([
    "DESTINATION_IN_MAINTENANCE",
  ]);

  expect(await lab.settled(3)).toEqual([]);
});

test("with nowhere to go it is refused with all findings, and nothing has changed", async () => {
  const before = await runners();
  const here = names.filter((name) => before[name]?.includes("c"));
  expect(here).not.toEqual([]);
  await lab.lab.host("b").endAgent();
  const error = await refusal(enter("c"));
  await lab.lab.host("b").startAgent();
  expect(error.code).toBe("MAINTENANCE_REFUSED");
  expect([...new Set(error.findings.map(({ vm }) => vm))].sort()).toEqual(here);
  expect([...new Set(withoutBusyMachine(error.findings).map(({ code }) => code))].sort()).toEqual([
    "DESTINATION_IN_MAINTENANCE",
    "DESTINATION_UNREACHABLE",
  ]);
  expect(await runners()).toEqual(before);
  expect(await maintenanceOf("c")).toBe("off");
  expect(await exit("a")).toMatchObject({ maintenance: "off" });
});

test("the server is killed in the middle: the task goes on, and what it says afterwards is true", async () => {
  const host = ((await runners())["web-1"] ?? [])[0] ?? "";
  const { id } = await enter(host, 1);
  await lab.until(id, ({ steps }) => steps.some(({ detail }) => detail !== null));
  await lab.lab.server.end();
  await lab.lab.server.start();
  expect(await maintenanceOf(host)).not.toBe("off");
  expect(await refusal(exit(host)).catch(() => null)).toSatisfy(
    (error: GodwitError | null) => error === null || error.code === "HOST_TASK_UNDER_WAY",
  );
  const ended = await lab.ended({ id } as Task);
  expect(ended).toMatchObject({ state: "succeeded", error: null });
  expect(await maintenanceOf(host)).toBe("on");
  for (const where of Object.values(await runners())) {
    expect(where).toHaveLength(1);
    expect(where).not.toContain(host);
  }
  expect(await lab.settled(3)).toEqual([]);
});

test("cancelled, it begins no more moves, lets those under way end, and the host takes VMs", async () => {
  // One host is in maintenance: the three VMs are on two, two of them on one.
  const before = Object.values(await runners()).flat();
  const host = before.find((one, index) => before.indexOf(one) !== index) ?? "";
  const count = before.filter((one) => one === host).length;
  const { id } = await enter(host, 1);
  await lab.until(id, ({ steps }) => steps.some(({ detail }) => detail !== null));
  await lab.api.call("taskCancel", { params: { task: id } });
  const ended = await lab.ended({ id } as Task);
  expect(ended).toMatchObject({ state: "cancelled", error: { code: "MAINTENANCE_CANCELLED" } });
  const [only, ...others] = ended.steps.filter(({ key }) => key === "move");
  expect(others).toEqual([]);
  expect(isEnded(await lab.api.call("taskShow", { params: { task: only?.task ?? id } }))).toBe(true);
  const where = Object.values(await runners());
  expect(where.every((hosts) => hosts.length === 1)).toBe(true);
  expect(where.flat().filter((one) => one === host).length).toBeGreaterThanOrEqual(count - 1);
  expect(await maintenanceOf(host)).toBe("off");
  expect(await lab.settled(3)).toEqual([]);
});

test("a VM that cannot move is waited for until the deadline, left, or shut down and started again", async () => {
  for (const host of ["a", "b", "c"]) await exit(host);
  const busy = Object.values(await runners()).flat();
  const count = (host: string) => busy.filter((one) => one === host).length;
  const [host = ""] = ["a", "b", "c"].sort((one, other) => count(one) - count(other));
  const { name: vm } = await lab.create({ name: "pinned", on: host, memoryMib: 192 });
  const set = { params: { vm }, body: { cpuAffinity: [0] } };
  await lab.succeeded(lab.api.call("vmSet", set));
  await lab.succeeded(lab.api.call("vmStart", { params: { vm }, body: {} }));
  const pinned = await lab.vm(vm);
  const where = async () => await lab.runnersOf(pinned);

  const params = { host };
  const moves = { concurrency: 2, maxOutageMs: 10_000 };
  const plan = await lab.api.call("hostMaintenancePlan", {
    params,
    body: { ...moves, deadlineSeconds: 3600 },
  });
  const planned = Object.fromEntries(plan.vms.map((one) => [one.vm, one]));
  expect(planned[vm]).toMatchObject({ action: "refuse", to: null });
  expect(planned[vm]?.findings.map(({ code }) => code)).toContain("VM_CPU_AFFINITY");
  expect(plan.deadline).toMatchObject({ seconds: 3600 });
  expect((await refusal(lab.api.call("hostMaintenanceEnter", { params, body: moves }))).code).toBe(
    "MAINTENANCE_REFUSED",
  );
  expect(await maintenanceOf(host)).toBe("off");

  const ask = (body: object) =>
    lab.ended(lab.api.call("hostMaintenanceEnter", { params, body: { ...moves, ...body } }));
  const late = await ask({ cannotMove: "wait", deadlineSeconds: 6 });
  expect(late).toMatchObject({ state: "failed", error: { code: "MAINTENANCE_TIMED_OUT" } });
  expect(late.error?.details.left).toContain(vm);
  expect(late.error?.findings?.filter((one) => one.vm === vm).map(({ code }) => code)).toContain(
    "VM_CPU_AFFINITY",
  );
  expect(await maintenanceOf(host)).toBe("off");
  expect(await where()).toEqual([host]);

  const left = await ask({ cannotMove: "leave" });
  expect(left).toMatchObject({ state: "succeeded", result: { running: [vm] } });
  expect(await maintenanceOf(host)).toBe("entering");
  expect(await where()).toEqual([host]);

  const chosen = { ...moves, vms: [{ vm, cannotMove: "shut-down" as const }], graceSeconds: 10 };
  const { id } = await lab.api.call("hostMaintenanceEnter", { params, body: chosen });
  await lab.until(id, ({ steps }) => steps.some(({ key }) => key === "shutDown"));
  await lab.lab.server.end();
  await lab.lab.server.start();
  expect(await lab.ended({ id } as Task)).toMatchObject({ state: "succeeded", result: { shutDown: [vm] } });
  expect(await maintenanceOf(host)).toBe("on");
  expect(await where()).toEqual([]);

  const { started, notStarted } = await exit(host);
  expect([started.map((one) => one.vm), notStarted]).toEqual([[vm], []]);
  for (const { task } of started) await lab.succeeded(lab.api.call("taskShow", { params: { task: task } }));
  expect(await where()).toEqual([host]);
  // It was started once: at another end nothing is left to do.
  expect((await exit(host)).started).toEqual([]);

  const suspended = { ...moves, vms: [{ vm, cannotMove: "suspend" as const }] };
  await lab.succeeded(lab.api.call("hostMaintenanceEnter", { params, body: suspended }));
  expect(await maintenanceOf(host)).toBe("on");
  expect(await where()).toEqual([]);
  expect((await lab.vm(vm)).config.suspension).toBeDefined();
  const back = await exit(host);
  for (const { task } of back.started) await lab.succeeded(lab.api.call("taskShow", { params: { task } }));
  expect(await where()).toEqual([host]);
  expect((await lab.vm(vm)).config.suspension).toBeUndefined();

  // Two VMs, one after the other, within a second: the second one's turn does not come.
  const now = Object.values(await runners()).flat();
  const crowded = now.find((one, index) => now.indexOf(one) !== index) ?? "";
  const body = { concurrency: 1, maxOutageMs: 10_000, deadlineSeconds: 1 };
  const short = await lab.ended(lab.api.call("hostMaintenanceEnter", { params: { host: crowded }, body }));
  expect(short).toMatchObject({ state: "failed", error: { code: "MAINTENANCE_TIMED_OUT" } });
  expect(short.error?.findings?.map(({ code }) => code)).toContain("MAINTENANCE_NO_TIME_LEFT");
  expect(await maintenanceOf(crowded)).toBe("off");
  expect(Object.values(await runners()).filter((hosts) => hosts.includes(crowded)).length).toBeGreaterThan(0);
  expect(await lab.settled(4)).toEqual([]);
});
