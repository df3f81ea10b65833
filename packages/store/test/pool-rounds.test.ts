/** How far pools balance themselves, and their rounds: the newest of each are kept. */
import { randomUUID } from "node:crypto";
import type { TaskId, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  for (const name of ["east", "west"])
    await store.pools.create({ name, baseline: null, hosts: [] }, await store.pools.lastTask());
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

const balance = { automation: "full", threshold: 4, goal: "even" } as const;
const round = (pool: string) => ({ pool, balance, plan: { stuck: [] }, moves: [], unmeasured: ["web-1"] });

test("a pool does not balance itself until it is told to, and keeps what is not named", async () => {
  const off = { automation: "off", threshold: 3, goal: "happy" };
  expect((await store.poolRounds.balances()).get("east")).toEqual(off);
  expect(await store.poolRounds.setBalance("east", { threshold: 5 })).toEqual({ ...off, threshold: 5 });
  expect(await store.poolRounds.setBalance("east", balance)).toEqual(balance);
  expect((await store.poolRounds.balances()).get("west")).toEqual(off);
  await expect(store.poolRounds.setBalance("north", {})).rejects.toMatchObject({ code: "POOL_UNKNOWN" });
});

test("the newest rounds of a pool are kept, with what they were planned on, and another pool's are left", async () => {
  const other = await store.poolRounds.enter(round("west"), Buffer.from("west"));
  let last = 0;
  for (let count = 0; count < 150; count += 1)
    last = await store.poolRounds.enter(round("east"), Buffer.from(String(count)));
  const rows = await own.ask<{ pool: string; count: string }>(
    "select pool, count(*) from pool_rounds group by pool order by pool",
  );
  expect(rows.map(({ pool, count }) => [pool, Number(count)])).toEqual([
    ["east", 120],
    ["west", 1],
  ]);
  expect(await store.poolRounds.find("east", null)).toMatchObject({ ...round("east"), number: last });
  expect(await store.poolRounds.find("east", other)).toBeNull();
  expect(String(await store.poolRounds.inputs("east", last))).toBe("149");
});

test("moves that ended lately are found with how they ended, and others are not", async () => {
  for (const name of ["a", "b"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
  const vm = { id: randomUUID() as VmId, name: "web-1" };
  const order = { maxOutageMs: 50, accelerator: "kvm", strategy: "precopy" } as const;
  const enter = async () =>
    await store.tasks.create({
      ...{ id: randomUUID() as TaskId, kind: "vm.migrate", actor: "balancer" },
      request: { vm, from: "a", to: "b", ...order, bandwidthBytesPerSecond: null },
    });
  const since = new Date(Date.now() - 60_000);
  const first = await enter();
  expect(await store.tasks.recentMoves(since)).toEqual([]);
  await store.tasks.change(first.id, () => ({ state: "failed" }));
  const second = await enter();
  await store.tasks.change(second.id, () => ({ state: "succeeded" }));
  expect(await store.tasks.recentMoves(since)).toMatchObject([
    { vmId: vm.id, task: first.id, failed: true },
    { vmId: vm.id, task: second.id, failed: false },
  ]);
  expect(await store.tasks.recentMoves(new Date(Date.now() + 60_000))).toEqual([]);
});
