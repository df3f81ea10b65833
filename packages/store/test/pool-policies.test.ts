/** Settings of what pools do by themselves: one event for each change, none where nothing changes. */
import { usualConsolidation, usualGuestReset, type ServerEvent } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  await store.pools.create({ name: "prod", baseline: null, hosts: [] }, await store.pools.lastTask());
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

/** The events of what is done, up to those of a pool that is created and removed after it. */
async function toldOf(act: () => Promise<void>): Promise<string[]> {
  const stop = new AbortController();
  const events = await store.events.follow(stop.signal);
  await act();
  await store.pools.create({ name: "mark", baseline: null, hosts: [] }, await store.pools.lastTask());
  await store.pools.remove("mark");
  const told: ServerEvent[] = [];
  for await (const event of events) {
    if (event.subject.id === "mark") break;
    told.push(event);
  }
  stop.abort();
  return told.map(({ type, data }) => `${type} ${JSON.stringify(data)}`);
}

const policies = () => store.poolPolicies;

test("each setting makes one event, with what it is now", async () => {
  const twice = async (act: () => Promise<void>) =>
    await toldOf(async () => {
      await act();
      await act();
    });
  expect(await twice(() => policies().setRestart("prod", true))).toEqual([
    'pool.restartChanged {"enabled":true}',
  ]);
  expect(await twice(() => policies().setHealth("prod", "quarantine"))).toEqual([
    'pool.healthChanged {"policy":"quarantine"}',
  ]);
  expect(await twice(() => policies().setAdmission("prod", true))).toEqual([
    'pool.admissionChanged {"enabled":true}',
  ]);
  expect(await twice(() => policies().setGuestReset("prod", usualGuestReset))).toHaveLength(1);
  expect(await twice(() => policies().setConsolidation("prod", usualConsolidation))).toHaveLength(1);
  const pool = await store.pools.show("prod");
  expect(pool).toMatchObject({
    ...{ health: "quarantine", admission: true, guestReset: usualGuestReset },
    consolidation: usualConsolidation,
  });
  const since = pool.restartSince;
  await policies().setRestart("prod", true);
  expect((await store.pools.show("prod")).restartSince).toEqual(since);
  await policies().setRestart("prod", false);
  await policies().setGuestReset("prod", null);
  expect(await store.pools.show("prod")).toMatchObject({ restartSince: null, guestReset: null });
});

test("a pool that saves no power keeps neither a decision nor a shortage; another policy forgets the decision", async () => {
  const decision = {
    ...{ at: new Date(0).toISOString(), step: { do: "nothing" as const }, candidate: null, hosts: [] },
  } as unknown as Parameters<typeof store.poolPolicies.decided>[1];
  await policies().decided("prod", decision);
  await policies().short("prod", "x".repeat(600));
  const pool = await store.pools.show("prod");
  expect([pool.decision?.step.do, pool.shortage?.reason.length]).toEqual(["nothing", 500]);
  await policies().setConsolidation("prod", { ...usualConsolidation, minHosts: 3 });
  expect((await store.pools.show("prod")).decision).toBeNull();
  await policies().setConsolidation("prod", null);
  await policies().decided("prod", decision);
  expect((await store.pools.show("prod")).decision).toBeNull();
});

test("of a pool that there is not nothing is set", async () => {
  for (const act of [
    () => policies().setRestart("nope", true),
    () => policies().setHealth("nope", "ask"),
    () => policies().setAdmission("nope", false),
    () => policies().setGuestReset("nope", null),
    () => policies().setConsolidation("nope", null),
  ])
    await expect(act()).rejects.toMatchObject({ code: "POOL_UNKNOWN" });
});
