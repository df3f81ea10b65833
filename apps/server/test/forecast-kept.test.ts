/**
 * A move keeps what it was said to be like, and what it took beyond that is remembered for the next forecast: also by a server
 * that starts again. Server and database are real, the hosts' agents stand in for some.
 */
import { randomUUID } from "node:crypto";
import { isEnded, objectives, type Task, type TaskId, type Vm, type VmId } from "@godwit/contract";
import { newRecord } from "@godwit/migration";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerAndAgents } from "./fixtures/server-and-agents.ts";

let cluster: ServerAndAgents;
/** How the next move ends, and how long it takes. */
let ends: { phase: "succeeded" | "failed"; totalMs: number } = { phase: "succeeded", totalMs: 0 };
const orders: unknown[] = [];

beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a", "b"]);
  await cluster.startAgent("a", {
    moveStart: ({ body }) => {
      orders.push(body);
      const at = new Date().toISOString();
      const begun = newRecord(body, at);
      return Promise.resolve({
        ...begun,
        ...ends,
        bytes: 400e6,
        stopToContMs: 20,
        phases: [...begun.phases, { phase: ends.phase, at }],
      });
    },
  });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

const spread = (p50: number) => ({ p10: p50, p50, p90: p50 });
const forecast = {
  ends: { moved: 1, postcopy: 0, stayed: 0 },
  ...{ totalMs: spread(9000), bytes: spread(300e6), pauseMs: spread(10), slowdown: spread(0) },
  uncorrected: { totalMs: 5000, bytes: 200e6, pauseMs: 10 },
  correctedBy: 2,
};

/** A move with a forecast, entered while the server is away; it makes it when it is back. */
async function move(vm: Pick<Vm, "id" | "name">): Promise<Task> {
  await cluster.killServer();
  const objective = { name: "normal", ...objectives.normal } as const;
  const { id } = await cluster.store.tasks.create({
    ...{ id: randomUUID() as TaskId, kind: "vm.migrate", actor: "admin" },
    request: {
      ...{ vm, from: "a", to: "b", maxOutageMs: 50, accelerator: "kvm", strategy: "precopy" },
      ...{ objective, bandwidthBytesPerSecond: null, forecast },
    },
  });
  await cluster.startServer();
  const show = async () => await cluster.store.tasks.show(id);
  await expect.poll(async () => isEnded(await show()), { timeout: 60_000 }).toBe(true);
  return await show();
}

test("a move keeps its forecast, one that succeeds is learned from by what the model had said, and a failed one is not", async () => {
  const vm: Vm = {
    ...{ version: 1, id: randomUUID() as VmId, name: "web-1", datastore: "shared", memoryMib: 64, vcpus: 1 },
    ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2", disks: [], nics: [] },
  };
  await cluster.store.vms.enter(vm, { host: "a", state: "running" });
  const between = async () => await cluster.store.moveOutcomes.between(vm.id, "a", "b");

  ends = { phase: "failed", totalMs: 60_000 };
  await move({ id: vm.id, name: vm.name });
  expect(await between()).toEqual([]);

  ends = { phase: "succeeded", totalMs: 10_000 };
  const moved = await move({ id: vm.id, name: vm.name });
  expect(moved).toMatchObject({
    state: "succeeded",
    request: { forecast },
    move: { totalMs: 10_000, bytes: 400e6, stopToContMs: 20 },
  });
  expect(orders.at(-1)).not.toHaveProperty("forecast");
  await cluster.killServer();
  await cluster.startServer();
  expect(await between()).toMatchObject([{ vmId: vm.id, ratios: { totalMs: 2, bytes: 2, pauseMs: 2 } }]);
  expect(await cluster.api.call("taskShow", { params: { task: moved.id } })).toMatchObject({
    request: { forecast },
  });
});
