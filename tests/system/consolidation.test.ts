/** A pool saves power: its least used host is emptied and powered off by its BMC, and is woken when the pool needs it. */
import { GodwitError } from "@godwit/contract";
import { until } from "@godwit/system";
import { bmcPassword, LabBmc, TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

test("a host is emptied, powered off and woken by its pool, also over a restart of the server; its VM runs on, once", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const { api } = lab;
  const params = { pool: "east" };
  const ofHost = { params: { host: "c" } };
  const shown = async () => await api.call("hostShow", ofHost);
  await using bmc = await LabBmc.start(lab.lab.server.namespace, lab.lab.host("c"));
  const { url, fingerprint } = bmc;
  const controller = { kind: "redfish", url, user: "godwit", fingerprint } as const;
  await api.call("hostPowerSet", { ...ofHost, body: { controller, password: bmcPassword } });
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  await api.call("poolRestartSet", { params, body: { enabled: true } });
  await lab.boot({ name: "web-1", on: "c", memoryMib: 192 });
  const save = async (minHosts: number) =>
    await api.call("poolConsolidationSet", {
      params,
      body: { policy: { minHosts, targetPercent: 80, stableSeconds: 30 } },
    });
  const decided = async () => (await api.call("poolConsolidationShow", { params })).decision;
  const wait = { everyMs: 500, limitMs: 300_000 };

  // Manual: it is shown, and nothing is done. A host that has not shown that it wakes is not chosen.
  await api.call("poolBalanceSet", { params, body: { automation: "manual" } });
  await save(2);
  const first = await until(decided, wait);
  expect(first?.step).toMatchObject({ do: "nothing", host: null });
  expect(first?.hosts.find(({ host }) => host === "c")?.reason).toContain(
    "it has not shown yet that it wakes",
  );
  await lab.succeeded(api.call("hostMaintenanceEnter", { ...ofHost, body: {} }));
  await lab.succeeded(api.call("hostPowerOff", { ...ofHost, body: {} }));
  await lab.succeeded(api.call("hostPowerOn", ofHost));
  await api.call("hostMaintenanceExit", ofHost);
  // It is refused until the host that was off has joined the leases of its storage.
  const move = await until(
    () =>
      api
        .call("vmMigrate", { params: { vm: "web-1" }, body: { to: "c", maxOutageMs: 10_000 } })
        .catch((error: unknown) => {
          if (GodwitError.is(error, "MOVE_REFUSED")) return null;
          throw error;
        }),
    wait,
  );
  if (move === null) throw new Error("the move is refused for minutes");
  await lab.succeeded(Promise.resolve(move));
  const isChosen = async () => {
    const step = (await decided())?.step;
    return step?.host === "c" && ["soon", "empty"].includes(step.do);
  };
  expect(await until(isChosen, wait), JSON.stringify(await decided())).toBe(true);
  expect((await shown()).maintenance).toBe("off");

  await api.call("poolBalanceSet", { params, body: { automation: "full" } });
  const emptying = async () =>
    (await api.call("taskList", {})).tasks.find(
      ({ kind, actor }) => kind === "host.enterMaintenance" && actor === "power",
    );
  expect(await until(emptying, wait)).not.toBeNull();
  await lab.lab.server.end();
  await lab.lab.server.start();
  expect(
    await until(async () => (await shown()).state === "standby", wait),
    JSON.stringify(await decided()),
  ).toBe(true);
  expect(bmc.resets).toEqual(["GracefulShutdown", "On", "GracefulShutdown"]);
  expect(await shown()).toMatchObject({ alarms: [], power: { state: "standby", pool: "east" } });
  const where = await lab.runnersOf(await lab.vm("web-1"));
  expect(where).toHaveLength(1);
  expect(["a", "b"]).toContain(where[0]);

  await save(3);
  const back = await until(async () => {
    const view = await shown();
    return view.state === "connected" && view.maintenance === "off" && view.power?.state === null;
  }, wait);
  expect(back, JSON.stringify(await decided())).toBe(true);
  expect(bmc.resets.at(-1)).toBe("On");
  // Within an hour of its wake it stays on, however little it is used.
  await save(2);
  const after = await until(decided, wait);
  expect(after?.step).toMatchObject({ do: "nothing", reason: "a host was woken less than an hour ago" });
  expect(await lab.runnersOf(await lab.vm("web-1"))).toHaveLength(1);
  const { tasks } = await api.call("taskList", {});
  expect(tasks.filter(({ actor }) => actor === "restart")).toEqual([]);
});
