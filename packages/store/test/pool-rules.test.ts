/** Rules of pools: kept, judged under the pool's lock, and gone with what they name. */
import { randomUUID } from "node:crypto";
import type { Vm, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

let own: OwnPostgres;
let store: Store;
const vms = ["db-1", "db-2"].map((name) => ({ id: randomUUID() as VmId, name }));
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open(own.connection);
  for (const name of ["a", "b"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
  for (const vm of vms)
    await store.vms.enter({ ...vm, disks: [] as Vm["disks"] } as Vm, { host: "a", state: "stopped" });
  await store.pools.create({ name: "east", baseline: null, hosts: ["a", "b"] }, await store.pools.lastTask());
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});

const apart = (name: string) => ({
  ...{ pool: "east", name, vms, hosts: [] as string[] },
  terms: { kind: "apart", must: true, of: "host" } as const,
});
const fine = () => undefined;

test("a rule is kept as it was made; two of one name, of no pool and of VMs that are gone are refused", async () => {
  await store.poolRules.add(apart("apart"), fine);
  expect(await store.poolRules.list("east")).toMatchObject([
    { ...apart("apart"), createdAt: expect.any(Date) as Date },
  ]);
  expect(await store.poolRules.list("west")).toEqual([]);
  expect(await store.poolRules.list(null)).toHaveLength(1);
  const refused = async (rule: Parameters<typeof store.poolRules.add>[0]) =>
    await store.poolRules.add(rule, fine).then(
      () => "made",
      (error: unknown) => (error as { code: string }).code,
    );
  expect(await refused(apart("apart"))).toBe("POOL_RULE_EXISTS");
  expect(await refused({ ...apart("x"), pool: "west" })).toBe("POOL_UNKNOWN");
  expect(await refused({ ...apart("x"), vms: [{ id: randomUUID() as VmId, name: "gone" }] })).toBe(
    "VM_UNKNOWN",
  );
  expect(await refused({ ...apart("x"), hosts: ["z"] })).toBe("HOST_UNKNOWN");
  expect(await store.poolRules.list("east")).toHaveLength(1);
});

test("a rule is replaced by one that may be there beside the others, or stays as it is; one that is not there is not replaced", async () => {
  await store.poolRules.add({ ...apart("bounded"), terms: { kind: "cpu", limitCores: 1 } }, fine);
  const more = { ...apart("bounded"), vms: vms.slice(0, 1), terms: { kind: "cpu", limitCores: 2 } as const };
  const names = async () => (await store.poolRules.list("east")).map(({ name }) => name);
  const before = await names();
  const refuses = (others: readonly { name: string }[]) => {
    expect(others.map(({ name }) => name)).toEqual(before.filter((name) => name !== "bounded"));
    throw new Error("it conflicts");
  };
  await expect(store.poolRules.add(more, refuses, true)).rejects.toThrow("it conflicts");
  const now = async () => (await store.poolRules.list("east")).find(({ name }) => name === "bounded");
  expect(await now()).toMatchObject({ terms: { limitCores: 1 }, vms });
  await store.poolRules.add(more, fine, true);
  expect(await now()).toMatchObject(more);
  expect(await names()).toEqual(before);
  await expect(store.poolRules.add(apart("none"), fine, true)).rejects.toMatchObject({
    code: "POOL_RULE_UNKNOWN",
  });
  await store.poolRules.remove("east", "bounded");
});

test("of two rules that are made at once and exclude each other, one is made", async () => {
  const judge = (others: readonly { name: string }[]) => {
    if (others.some(({ name }) => name.startsWith("once"))) throw new Error("it conflicts");
  };
  const ends = await Promise.allSettled(
    ["once-1", "once-2"].map((name) => store.poolRules.add(apart(name), judge)),
  );
  expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
});

test("a VM or a host that is removed leaves its rules, and a rule that is removed leaves nothing", async () => {
  const on = { ...apart("on"), terms: { kind: "on", must: true } as const, hosts: ["b"] };
  await store.poolRules.add(on, fine);
  await store.pools.removeHost("east", "b");
  await store.hosts.remove("b", false);
  await store.vms.remove(vms[0]?.id as VmId, null);
  const rules = await store.poolRules.list("east");
  expect(rules.find(({ name }) => name === "on")).toMatchObject({ hosts: [], vms: [{ name: "db-2" }] });
  for (const { name } of rules) await store.poolRules.remove("east", name);
  await expect(store.poolRules.remove("east", "on")).rejects.toMatchObject({ code: "POOL_RULE_UNKNOWN" });
  const [left] = await own.ask<{ count: string }>("select count(*) from pool_rule_vms");
  expect(Number(left?.count)).toBe(0);
});
