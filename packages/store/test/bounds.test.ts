/** What others can make the database keep: bounded, counted after 10,000 rounds. */
import { randomUUID } from "node:crypto";
import type { Vm, VmId } from "@godwit/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Store } from "../src/index.ts";
import { OwnPostgres } from "./own-postgres.ts";

const rounds = 10_000;
let own: OwnPostgres;
let store: Store;
beforeAll(async () => {
  own = await OwnPostgres.start();
  store = await Store.open({ ...own.connection, options: "-c synchronous_commit=off" });
});
afterAll(async () => {
  await store.close();
  await own[Symbol.asyncDispose]();
});
const countOf = async (table: string): Promise<number> =>
  Number((await own.ask<{ count: string }>(`select count(*) from ${table}`))[0]?.count);

test("join tokens that were not used go when they have expired, and no more than a bound are kept", async () => {
  const enter = async (expires: string) =>
    await own.ask(
      `insert into join_tokens (secret_hash, expires_at)
       select gen_random_uuid()::text, now() + $2::interval from generate_series(1, $1)`,
      [rounds, expires],
    );
  await enter("-2 days");
  await store.hosts.createToken(new Date(Date.now() + 60_000));
  expect(await countOf("join_tokens")).toBe(1);
  await enter("-1 hour");
  await store.hosts.createToken(new Date(Date.now() + 60_000));
  expect(await countOf("join_tokens")).toBeLessThanOrEqual(5001);
  await enter("1 hour");
  await expect(store.hosts.createToken(new Date(Date.now() + 60_000))).rejects.toMatchObject({
    code: "TOKENS_TOO_MANY",
  });
});

test("a host that asks for leases of ids that it makes up is refused at a bound; its VMs' and others' are given", async () => {
  const ask = async (host: string, vmId: VmId, number: number) =>
    await store.leases.acquire({ vmId, vm: "web", host, number }, "EX").then(
      () => "given",
      (error: unknown) => (error as { code: string }).code,
    );
  const answers = new Map<string, number>();
  for (let round = 0; round < rounds; round += 20) {
    const some = Array.from({ length: 20 }, (_, index) =>
      ask("evil", randomUUID() as VmId, round + index + 1),
    );
    for (const answer of await Promise.all(some)) answers.set(answer, (answers.get(answer) ?? 0) + 1);
  }
  expect([...answers.keys()].sort()).toEqual(["LEASES_TOO_MANY", "given"]);
  const kept = await countOf("leases");
  expect(kept).toBeLessThanOrEqual(1020);
  const known = { id: randomUUID() as VmId, name: "known" } as Vm;
  await store.vms.enter(known, { host: "evil", state: "stopped" });
  expect(await ask("evil", known.id, rounds + 1)).toBe("given");
  expect(await ask("good", randomUUID() as VmId, 1)).toBe("given");
}, 120_000);
