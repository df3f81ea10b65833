/** Hosts that lose their lease service or their power: their VMs end in time, and are started elsewhere when that is safe. */
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";
import { sleep, until } from "@godwit/system";

test("a host whose sanlock dies ends its VM at once; the VM starts elsewhere when its lease is free, and sooner when an operator breaks it", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const vm = await lab.boot({ on: "a" });
  const lease = async () => await lab.api.call("vmLeaseShow", { params: { vm: "web-1" } });
  const start = async (host: string) =>
    await lab.ended(lab.api.call("vmStart", { params: { vm: "web-1" }, body: { host } }));
  expect(await lease()).toMatchObject({ kept: "storage", holders: [{ host: "a", mode: "EX", fresh: true }] });
  await expect(
    lab.api.call("vmLeaseBreak", { params: { vm: "web-1" }, body: { host: "a" } }),
  ).rejects.toMatchObject({ code: "LEASE_HOLDER_ALIVE" });

  await lab.lab.host("a").endSanlock();
  await holds(async () => (await lab.vm("web-1")).state === "lost");
  expect(await lab.runnersOf(vm)).toEqual([]);
  await holds(async () => (await lease()).holders[0]?.fresh === false);
  const refused = await start("b");
  expect(refused.error).toMatchObject({
    code: "LEASE_HELD",
    details: { holders: [{ host: "a", mode: "EX", freeInMs: expect.any(Number) as number }] },
  });

  await holds(async () => (await lease()).holders[0]?.freeInMs === 0, 90_000);
  expect(await start("b")).toMatchObject({ state: "succeeded" });
  expect(await lab.runnersOf(vm)).toEqual(["b"]);

  // Its lease service is back: the host joins again by itself, and may have the VM.
  await lab.lab.host("a").startSanlock();
  await holds(async () => (await leaseState(lab, "a")) === "joined");
  await lab.succeeded(
    lab.api.call("vmMigrate", { params: { vm: "web-1" }, body: { to: "a", maxOutageMs: 5000 } }),
  );

  await lab.lab.host("a").cutPower();
  await holds(
    async () => (await lab.api.call("hostShow", { params: { host: "a" } })).state === "unreachable",
  );
  await holds(async () => (await lease()).holders[0]?.fresh === false);
  const broken = await lab.api.call("vmLeaseBreak", { params: { vm: "web-1" }, body: { host: "a" } });
  expect(broken.holders).toEqual([]);
  expect(await start("b")).toMatchObject({ state: "succeeded" });
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
});

test("storage that stands still for longer than leases last: the VM is ended before others may start it, and starts again when the storage is back", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"], ownStorage: true });
  const vm = await lab.boot({ on: "a" });
  await lab.lab.freezeStorage();
  // A process that waits for the storage can only end when that goes on; it must not run until then.
  await holds(
    async () => (await leaseState(lab, "a")) === "unavailable" || (await lab.runnersOf(vm)).length === 0,
  );
  await sleep(15_000);
  await lab.lab.thawStorage();
  await holds(async () => (await lab.vm("web-1")).state === "lost");
  expect(await lab.runnersOf(vm)).toEqual([]);
  await holds(
    async () => (await leaseState(lab, "a")) === "joined" && (await leaseState(lab, "b")) === "joined",
    90_000,
  );
  await holds(
    async () =>
      (await lab.ended(lab.api.call("vmStart", { params: { vm: "web-1" }, body: { host: "b" } }))).state ===
      "succeeded",
    90_000,
  );
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  expect(await lab.settled(1)).toEqual([]);
});

async function leaseState(lab: TestLab, host: string): Promise<string | undefined> {
  const view = await lab.api.call("hostShow", { params: { host } });
  return view.load?.datastores[0]?.leases?.state;
}

/** Nobody outside is told of these changes. */
async function holds(look: () => Promise<boolean>, limitMs = 60_000): Promise<void> {
  if ((await until(look, { everyMs: 500, limitMs })) === null)
    throw new Error(`not so within ${String(limitMs / 1000)} s`);
}
