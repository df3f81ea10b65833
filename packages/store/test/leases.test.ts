/** Leases as rows: what hosts that ask, also all at once, are granted. */
import { randomUUID } from "node:crypto";
import type { VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { question } from "./host-words.ts";
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

test("a lease is exclusive or shared, never both, and its version grows with each new exclusive holder", async () => {
  const vm = randomUUID() as VmId;
  const { leases } = store;
  expect(await leases.acquire(question(vm, "a"), "EX")).toMatchObject({
    version: 1,
    holders: [{ host: "a", mode: "EX" }],
  });
  await expect(leases.acquire(question(vm, "b"), "SH")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await expect(leases.convert(question(vm, "b"), "EX")).rejects.toMatchObject({ code: "LEASE_NOT_HELD" });
  await leases.convert(question(vm, "a"), "SH");
  await leases.acquire(question(vm, "b"), "SH");
  await expect(leases.convert(question(vm, "b"), "EX")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await leases.release(question(vm, "a"));
  await leases.release(question(vm, "a")); // again changes nothing
  expect(await leases.convert(question(vm, "b"), "EX")).toMatchObject({
    version: 2,
    holders: [{ host: "b", mode: "EX" }],
  });
});

test("a question that was overtaken by a later one of its host changes nothing", async () => {
  const vm = randomUUID() as VmId;
  const { leases } = store;
  await leases.acquire(question(vm, "a"), "SH");
  const given = question(vm, "b"); // given up by its host, but still under way
  await leases.release(question(vm, "b"));
  await expect(leases.acquire(given, "SH")).rejects.toMatchObject({ code: "LEASE_OVERTAKEN" });
  // A refused question overtakes earlier ones too.
  const late = question(vm, "c");
  await expect(leases.acquire(question(vm, "c"), "EX")).rejects.toMatchObject({ code: "LEASE_HELD" });
  await expect(leases.acquire(late, "SH")).rejects.toMatchObject({ code: "LEASE_OVERTAKEN" });
  expect((await leases.show(vm)).holders.map(({ host }) => host)).toEqual(["a"]);
});

test("a host that is removed by force is fenced: its leases are free, and those who shared them are told", async () => {
  const vm = randomUUID() as VmId;
  const { leases, hosts } = store;
  await leases.acquire(question(vm, "a"), "SH");
  await leases.acquire(question(vm, "b"), "SH");
  await hosts.remove("b", true);
  expect(await leases.convert(question(vm, "a"), "EX")).toMatchObject({
    holders: [{ host: "a", mode: "EX" }],
    fenced: ["b"],
  });
  // It shares the lease for a new move: what was before is over.
  expect(await leases.convert(question(vm, "a"), "SH")).toMatchObject({ fenced: [] });
});

test("of many hosts that ask at once exactly one gets the exclusive lease", async () => {
  const vm = randomUUID() as VmId;
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, (_, index) => store.leases.acquire(question(vm, `h${String(index)}`), "EX")),
  );
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  expect((await store.leases.show(vm)).holders).toHaveLength(1);
});
