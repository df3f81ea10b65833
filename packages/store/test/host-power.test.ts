/** The power of hosts as it is kept: what is a loss and what is not, and what a host has shown. */
import { randomUUID } from "node:crypto";
import type { TaskId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { load } from "./host-words.ts";
import { OwnPostgres } from "./own-postgres.ts";

let database: OwnPostgres;
let store: Store;
beforeAll(async () => {
  database = await OwnPostgres.start();
  store = await Store.open(database.connection);
});
afterAll(async () => {
  await store.close();
  await database[Symbol.asyncDispose]();
});

const controller = { kind: "wol", mac: "3c:ec:ef:12:34:56" } as const;
async function join(name: string): Promise<void> {
  const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
  const joining = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
  await store.hosts.join(secret, joining);
  await store.powers.set({ host: name, controller, sealedPassword: "v1.x", wakeSeconds: 60, offSeconds: 60 });
}
/** Types of the events about a host since then. */
async function eventsOf(name: string, from: number): Promise<string[]> {
  const over = new AbortController();
  const found: string[] = [];
  const last = await store.events.lastId();
  if (last === from) return found;
  for await (const event of await store.events.follow(over.signal, from)) {
    if (event.subject.id === name) found.push(event.type);
    if (event.id >= last) break;
  }
  over.abort();
  return found;
}

test("a host that the server powers off is not lost; one that answers again is not off; one that was never powered off is lost", async () => {
  const name = "sleeper";
  await join(name);
  const from = await store.events.lastId();
  await store.powers.enter(name, "stopping", null);
  expect(await store.hosts.lost(name, "it is gone")).toBe(false);
  await store.powers.enter(name, "standby", "east");
  await store.powers.enter(name, "standby", "east");
  expect((await store.hosts.show(name)).power).toMatchObject({ kind: "wol", state: "standby", pool: "east" });
  expect(await eventsOf(name, from)).toEqual(["host.powerChanged", "host.powerChanged"]);

  await store.hosts.saw([{ name, load: load(name, 1), alarms: [] }]);
  expect((await store.hosts.show(name)).power).toMatchObject({ state: null, since: null, pool: null });
  expect(await store.hosts.lost(name, "it is gone")).toBe(true);
  expect((await eventsOf(name, from)).slice(2).sort()).toEqual([
    "host.lost",
    "host.powerChanged",
    "host.returned",
  ]);

  // A report that was on its way when the host went off is no answer.
  await store.hosts.saw([{ name, load: load(name, 2), alarms: [] }]);
  await store.powers.enter(name, "standby", null);
  await store.hosts.saw([{ name, load: load(name, 3), alarms: [] }]);
  expect((await store.hosts.show(name)).power?.state).toBe("standby");
  await store.hosts.remove(name, true);
});

test("what a host has shown counts for its controller alone, which nobody changes while a task works with it", async () => {
  const name = "waker";
  await join(name);
  await store.powers.enter(name, "waking", "east");
  await store.powers.didNotWake(name, "its agent does not answer", { state: "standby", pool: "east" });
  const failed = await store.powers.show(name);
  expect(failed).toMatchObject({ state: "standby", pool: "east", wokeAt: null });
  expect(failed.wakeFailure?.reason).toBe("its agent does not answer");
  await store.powers.woke(name, { wasOff: true, forPool: true });
  const woke = await store.powers.show(name);
  expect(woke).toMatchObject({ state: null, wakeFailure: null, sealedPassword: "v1.x" });
  expect([woke.wokeAt, woke.poolWokeAt].every((at) => at !== null)).toBe(true);
  expect(JSON.stringify(await store.hosts.show(name))).not.toContain("v1.x");

  const id = randomUUID() as TaskId;
  await store.tasks.create({ id, kind: "host.powerOn", request: { host: name }, actor: "admin" });
  const again = { host: name, controller, sealedPassword: null, wakeSeconds: 90, offSeconds: 60 };
  await expect(store.powers.set(again)).rejects.toMatchObject({ code: "HOST_TASK_UNDER_WAY" });
  await expect(store.powers.unset(name)).rejects.toMatchObject({ code: "HOST_TASK_UNDER_WAY" });
  await store.tasks.change(id, () => ({ state: "failed" }));
  await store.powers.set(again);
  expect(await store.powers.show(name)).toMatchObject({
    wokeAt: null,
    sealedPassword: null,
    wakeSeconds: 90,
  });
  await store.powers.unset(name);
  await expect(store.powers.show(name)).rejects.toMatchObject({ code: "HOST_POWER_UNSET" });
  await store.hosts.remove(name, true);
});
