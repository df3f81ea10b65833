/** How moves went in terms of their forecasts: found again, bounded, and gone with the VM or the host. */
import { randomUUID } from "node:crypto";
import type { TaskId, Vm, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  for (const name of ["a", "b", "c"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

async function vm(name: string): Promise<VmId> {
  const id = randomUUID() as VmId;
  await store.vms.enter({ id, name, disks: [] as Vm["disks"] } as Vm, { host: "a", state: "stopped" });
  return id;
}
const outcome = (vmId: VmId, totalMs: number, to = "b") => ({
  ...{ task: randomUUID() as TaskId, vmId, from: "a", to, ratios: { totalMs } },
});
const count = async () =>
  Number((await own.ask<{ count: string }>("select count(*) from move_outcomes"))[0]?.count);

test("they are found again by another server, those of other hosts are not, and one is entered once", async () => {
  const [web, db] = [await vm("web-1"), await vm("db-1")];
  const first = outcome(web, 1.5);
  await store.moveOutcomes.enter(first, 16);
  await store.moveOutcomes.enter({ ...first, ratios: { totalMs: 9 } }, 16);
  await store.moveOutcomes.enter(outcome(db, 2), 16);
  await store.moveOutcomes.enter(outcome(web, 3, "c"), 16);
  await store.close();
  store = await Store.open(own.connection);
  expect(await store.moveOutcomes.between(web, "a", "b")).toMatchObject([
    { vmId: web, ratios: { totalMs: 1.5 }, at: expect.any(Date) as Date },
    { vmId: db, ratios: { totalMs: 2 } },
  ]);
  expect(await store.moveOutcomes.between(web, "b", "a")).toEqual([]);
  await store.vms.remove(db, null);
  expect(await store.moveOutcomes.between(web, "a", "b")).toHaveLength(1);
  await store.vms.remove(web, null);
  expect(await count()).toBe(0);
});

test("of each VM between two hosts the newest are kept, and another's are left", async () => {
  const [busy, quiet] = [await vm("busy"), await vm("quiet")];
  await store.moveOutcomes.enter(outcome(quiet, 7), 3);
  for (const ratio of [1, 2, 3, 4, 5]) await store.moveOutcomes.enter(outcome(busy, ratio), 3);
  const kept = await store.moveOutcomes.between(busy, "a", "b");
  expect(kept.map(({ ratios }) => ratios.totalMs)).toEqual([5, 4, 3, 7]);
});

test("no more than a number are kept of all VMs together", async () => {
  const many = await vm("many");
  await own.ask(
    "insert into move_outcomes (task, vm, from_host, to_host, ratios) select gen_random_uuid(), $1, 'b', 'c', '{}' from generate_series(1, 20500)",
    [many],
  );
  await store.moveOutcomes.enter(outcome(many, 1), 16);
  expect(await count()).toBe(20_000);
});

test("one of a VM or a host that is no more is passed over, and those of a host go with it", async () => {
  const last = await vm("last");
  const before = await count();
  await store.moveOutcomes.enter(outcome(randomUUID() as VmId, 2), 16);
  await store.moveOutcomes.enter(outcome(last, 2, "nowhere"), 16);
  expect(await count()).toBe(before);
  await store.hosts.remove("c", false);
  expect(await own.ask("select from move_outcomes where to_host = 'c'")).toEqual([]);
});
