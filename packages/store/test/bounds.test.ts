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
  const known = { id: randomUUID() as VmId, name: "known", disks: [] as Vm["disks"] } as Vm;
  await store.vms.enter(known, { host: "evil", state: "stopped" });
  expect(await ask("evil", known.id, rounds + 1)).toBe("given");
  expect(await ask("good", randomUUID() as VmId, 1)).toBe("given");
});

test("of every host a number of windows of its load is kept, however long it reports and whatever the clock says", async () => {
  await own.ask("delete from join_tokens");
  const kept = { fine: 120, coarse: 144 };
  for (const name of ["busy", "quiet"]) {
    const secret = await store.hosts.createToken(new Date(Date.now() + 60_000));
    const host = { name, agentUrl: "https://192.0.2.1:8444", memberId: name, certificateEndsAt: null };
    await store.hosts.join(secret, host);
  }
  const sample = (host: string, index: number, resolution: "fine" | "coarse") => ({
    ...{
      host,
      resolution,
      atMs: 1_700_000_000_000 + index * 30_000,
      stolenCpus: null,
      usedCpus: 1.5,
      availableBytes: 2 ** 34,
    },
    ...{
      cpuPressure: null,
      memoryPressure: 0,
      vms: { [randomUUID()]: { cpus: 1, peakCpus: 2, residentBytes: 2 ** 30 } },
    },
  });
  await store.loads.write([sample("quiet", 1, "fine"), sample("gone", 1, "fine")], kept);
  // Ten thousand windows in steps, and then some of a clock that was set back.
  for (let round = 0; round < rounds; round += 500) {
    const some = Array.from({ length: 500 }, (_, index) =>
      sample("busy", round + index, index % 2 === 0 ? "fine" : "coarse"),
    );
    await store.loads.write(some, kept);
  }
  await store.loads.write([sample("busy", -5, "fine"), sample("busy", -6, "coarse")], kept);
  const rows = await own.ask<{ host: string; resolution: string; count: string }>(
    "select host, resolution, count(*) from load_samples group by host, resolution order by host, resolution",
  );
  expect(rows.map(({ host, resolution, count }) => [host, resolution, Number(count)])).toEqual([
    ["busy", "coarse", 144],
    ["busy", "fine", 120],
    ["quiet", "fine", 1],
  ]);
  const [newest] = (await store.loads.of(["busy"], new Date(1_700_000_000_000))).slice(-1);
  expect(newest).toMatchObject({
    ...sample("busy", rounds - 1, "coarse"),
    vms: expect.any(Object) as object,
  });
  await store.hosts.remove("busy", false);
  expect(await countOf("load_samples")).toBe(1);
});
