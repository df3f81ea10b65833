/**
 * Moves that wait for their turn: what they wait for is told, they begin in order, are cancelled at once, and find their
 * places again when the server was killed. Server and database are real, the source's agent stands in for one.
 */
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import {
  GodwitError,
  isEnded,
  objectives,
  type AgentEvent,
  type MoveRecord,
  type Task,
  type TaskId,
  type Vm,
  type VmId,
} from "@godwit/contract";
import { newRecord } from "@godwit/migration";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ServerAndAgents } from "./fixtures/server-and-agents.ts";

let cluster: ServerAndAgents;
/** What the source was asked for, in this order. */
const started: string[] = [];
const records = new Map<string, MoveRecord>();
const events: AgentEvent[] = [];
const told = new EventEmitter();

function change(id: string, phase: MoveRecord["phase"]): void {
  const before = records.get(id);
  if (before === undefined) throw new Error(`no move ${id}`);
  const at = new Date().toISOString();
  const move: MoveRecord = { ...before, phase, phases: [...before.phases, { phase, at }] };
  records.set(id, move);
  events.push({
    ...{ id: events.length + 1, at, type: "move.changed" },
    ...{ subject: { kind: "move", id, name: move.vm.name }, data: { move } },
  });
  told.emit("event");
}
const recordOf = ({ moveId }: { moveId: string }): MoveRecord => {
  const record = records.get(moveId);
  if (record === undefined) throw GodwitError.of("MOVE_UNKNOWN", { move: moveId });
  return record;
};

beforeAll(async () => {
  cluster = await ServerAndAgents.start(["a", "b"]);
  await cluster.startAgent("a", {
    events: async function* ({ query, signal }) {
      let next = query.after ?? 0;
      for (;;) {
        for (const event of events.slice(next)) {
          yield event; // and more may come until the next is asked for
          next += 1;
        }
        if (next === events.length) await once(told, "event", { signal });
      }
    },
    moveStart: ({ body }) => {
      if (!records.has(body.id)) {
        started.push(body.vm.name);
        records.set(body.id, newRecord(body, new Date().toISOString()));
        change(body.id, "copying");
      }
      return Promise.resolve(recordOf({ moveId: body.id }));
    },
    moveShow: ({ params }) => Promise.resolve(recordOf(params)),
    moveCancel: ({ params }) => Promise.resolve(recordOf(params)),
  });
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
});

/** A move from a to b that was asked for and not begun, as a server that is not there now has left it. */
async function enter(name: string, deadlineMs: number | null = null): Promise<TaskId> {
  const vm: Vm = {
    ...{ version: 1, id: randomUUID() as VmId, name, datastore: "shared", memoryMib: 64, vcpus: 1 },
    ...{ cpu: { model: "Nehalem-v2", add: [], remove: [] }, machine: "pc-q35-7.2", disks: [], nics: [] },
  };
  await cluster.store.vms.enter(vm, { host: "a", state: "running" });
  const objective = { name: "normal", ...objectives.normal, deadlineMs } as const;
  const { id } = await cluster.store.tasks.create({
    ...{ id: randomUUID() as TaskId, kind: "vm.migrate", actor: "admin" },
    request: {
      ...{ vm: { id: vm.id, name }, from: "a", to: "b", maxOutageMs: 50, accelerator: "kvm" },
      ...{ strategy: "precopy", objective, bandwidthBytesPerSecond: null },
    },
  });
  return id;
}
const show = async (id: TaskId): Promise<Task> => await cluster.store.tasks.show(id);
const waits = async (id: TaskId): Promise<string | undefined> => (await show(id)).waitingFor?.message;
const patient = { timeout: 60_000 };

test("four at a time, those with a deadline first, and each that waits says for what", async () => {
  await cluster.killServer();
  const running = [];
  for (const name of ["r1", "r2", "r3", "r4"]) running.push(await enter(name));
  await cluster.startServer();
  await expect.poll(() => started.length, patient).toBe(4);

  await cluster.killServer();
  const [late, urgent] = [await enter("late"), await enter("urgent", 60_000)];
  const [cancelled, last] = [await enter("cancelled"), await enter("last")];
  await cluster.startServer();
  await expect.poll(() => waits(urgent), patient).toMatch(/^host a takes part in 4 moves at once.*the next$/);
  await expect.poll(() => waits(late), patient).toMatch(/before this one begin 1 that wait$/);
  await expect.poll(() => waits(last), patient).toMatch(/before this one begin 3 that wait$/);
  expect(await show(urgent)).toMatchObject({ state: "queued", waitingFor: { code: "OTHER_TASK" } });

  await cluster.api.call("taskCancel", { params: { task: cancelled } });
  await expect.poll(async () => isEnded(await show(cancelled)), patient).toBe(true);
  expect(await show(cancelled)).toMatchObject({ state: "cancelled", error: { code: "MOVE_CANCELLED" } });
  await expect.poll(() => waits(last), patient).toMatch(/before this one begin 2 that wait$/);
  expect([...started].sort()).toEqual(["r1", "r2", "r3", "r4"]);

  for (const [ends, begins] of [
    [running[2], "urgent"],
    [running[0], "late"],
    [urgent, "last"],
  ] as const) {
    change(ends ?? "", "succeeded");
    await expect.poll(() => started.at(-1), patient).toBe(begins);
  }
  for (const id of [running[1], running[3], late, last]) change(id ?? "", "succeeded");
  for (const id of [...running, urgent, late, last]) {
    await expect.poll(async () => (await show(id)).state, patient).toBe("succeeded");
    expect(await show(id)).toMatchObject({ waitingFor: null, result: { host: "b" } });
  }
  expect(started).toHaveLength(7);
});
