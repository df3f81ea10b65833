/**
 * Limits of moves that are changed: of one that waits for its turn, of one that its source refuses, and shares of hosts' ceilings,
 * also by a server that was killed. Server and database are real, the source's agent stands in for one.
 */
import { randomUUID } from "node:crypto";
import {
  GodwitError,
  objectives,
  type MoveOrder,
  type MoveRecord,
  type TaskId,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { newRecord } from "@godwit/migration";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerAndAgents } from "./fixtures/server-and-agents.ts";

let cluster: ServerAndAgents;
const orders = new Map<string, MoveOrder>();
/** What the source was told of each move, in this order. */
const told: { name: string; limits: object; because: string }[] = [];
let refuses = false;

const recordOf = (id: string): MoveRecord => {
  const order = orders.get(id);
  if (order === undefined) throw GodwitError.of("MOVE_UNKNOWN", { move: id });
  return { ...newRecord(order, new Date().toISOString()), phase: "copying" };
};
beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a", "b"]);
  await cluster.startAgent("a", {
    moveStart: ({ body }) => {
      orders.set(body.id, orders.get(body.id) ?? body);
      return Promise.resolve(recordOf(body.id));
    },
    moveShow: ({ params }) => Promise.resolve(recordOf(params.moveId)),
    moveSet: ({ params, body }) => {
      const reason = "its VM is just being switched over; if that is backed out it can be changed again";
      if (refuses)
        throw GodwitError.of("TASK_NOT_CHANGEABLE", { task: params.moveId, state: "switching", reason });
      told.push({ name: orders.get(params.moveId)?.vm.name ?? "", ...body });
      return Promise.resolve(recordOf(params.moveId));
    },
  });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const patient = { timeout: 60_000 };
async function enter(name: string): Promise<TaskId> {
  const vm: Vm = {
    ...{ version: 1, id: randomUUID() as VmId, name, datastore: "shared", memoryMib: 64, vcpus: 1 },
    ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2", disks: [], nics: [] },
  };
  await cluster.store.vms.enter(vm, { host: "a", state: "running" });
  const objective = { name: "normal", ...objectives.normal } as const;
  const { id } = await cluster.store.tasks.create({
    ...{ id: randomUUID() as TaskId, kind: "vm.migrate", actor: "admin" },
    request: {
      ...{ vm: { id: vm.id, name }, from: "a", to: "b", maxOutageMs: 50, accelerator: "kvm" },
      ...{ strategy: "precopy", objective, bandwidthBytesPerSecond: null },
    },
  });
  return id;
}
const lastOf = (wanted: string) => told.findLast(({ name }) => name === wanted);
const set = async (task: TaskId, body: { bandwidthMbps?: number | null; maxOutageMs?: number }) =>
  await cluster.api.call("taskSet", { params: { task }, body });

test("a host's ceiling is shared among its moves, each is told its share, and a killed server finds all of it again", async () => {
  await cluster.killServer();
  const first = await enter("first");
  const second = await enter("second");
  await cluster.startServer();
  await expect.poll(() => orders.size, patient).toBe(2);
  expect([...orders.values()].map(({ bandwidthBytesPerSecond }) => bandwidthBytesPerSecond)).toEqual([
    null,
    null,
  ]);

  const view = await cluster.api.call("hostSet", { params: { host: "b" }, body: { moveBandwidthMbps: 800 } });
  expect(view.moveBandwidthMbps).toBe(800);
  const half = { limits: { bandwidthBytesPerSecond: 50e6 }, because: "shared" };
  for (const name of ["first", "second"]) await expect.poll(() => lastOf(name), patient).toMatchObject(half);

  told.length = 0;
  await set(first, { bandwidthMbps: 80, maxOutageMs: 200 });
  expect(told[0]).toEqual({
    ...{ name: "first", because: "asked" },
    limits: { bandwidthBytesPerSecond: 10e6, maxOutageMs: 200 },
  });
  const rest = { limits: { bandwidthBytesPerSecond: 90e6 }, because: "shared" };
  await expect.poll(() => lastOf("second"), patient).toMatchObject(rest);

  await cluster.killServer();
  told.length = 0;
  await cluster.startServer();
  // The server takes them up one after the other: the first to come is told that it is alone, and then its share.
  const own = { limits: { bandwidthBytesPerSecond: 10e6 }, because: "shared" };
  await expect.poll(() => lastOf("first"), patient).toEqual({ name: "first", ...own });
  await expect.poll(() => lastOf("second"), patient).toEqual({ name: "second", ...rest });
  expect(await cluster.api.call("taskShow", { params: { task: first } })).toMatchObject({
    limits: { bandwidthBytesPerSecond: 10e6, maxOutageMs: 200 },
  });

  refuses = true;
  await expect(set(second, { maxOutageMs: 900 })).rejects.toMatchObject({
    code: "TASK_NOT_CHANGEABLE",
    problem: { detail: expect.stringMatching(/just being switched over/) as string },
  });
  refuses = false;
  expect((await cluster.api.call("taskShow", { params: { task: second } })) as unknown).toMatchObject({
    limits: null,
  });
});

test("one that waits for its turn begins with what was set meanwhile", async () => {
  await cluster.killServer();
  const [third, fourth, fifth] = [await enter("third"), await enter("fourth"), await enter("fifth")];
  await cluster.startServer();
  await expect.poll(() => orders.size, patient).toBe(4);
  const waiting = [third, fourth, fifth].find((id) => !orders.has(id));
  if (waiting === undefined) throw new Error("none waits");
  await expect.poll(async () => (await cluster.store.tasks.show(waiting)).waitingFor, patient).not.toBeNull();
  expect(await set(waiting, { bandwidthMbps: 8, maxOutageMs: 70 })).toMatchObject({
    limits: { bandwidthBytesPerSecond: 1e6, maxOutageMs: 70 },
  });
  await cluster.killServer();
  // One of those under way ends, and with it the wait.
  const [done] = [...orders.keys()];
  await cluster.store.tasks.change(done as TaskId, () => ({ state: "failed" }));
  await cluster.startServer();
  await expect
    .poll(() => orders.get(waiting), patient)
    .toMatchObject({
      ...{ bandwidthBytesPerSecond: 1e6, maxOutageMs: 70 },
    });
});
