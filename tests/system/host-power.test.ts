/** The power of a host, by a BMC that speaks Redfish and ends and starts the lab's host as a real one does. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { bmcPassword, LabBmc, TestLab } from "@godwit/test-kit";
import { until } from "@godwit/system";
import { expect, test } from "vitest";

test("a host is shut down and woken, also over a restart of the server: it is in standby, not lost; its VM runs on elsewhere", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const { api } = lab;
  const params = { host: "a" };
  const host = lab.lab.host("a");
  const logFile = lab.lab.logOf("server");
  await using bmc = await LabBmc.start(lab.lab.server.namespace, host);
  const { url, fingerprint } = bmc;
  const controller = { kind: "redfish", url, user: "godwit", fingerprint } as const;
  const shown = async () => await api.call("hostShow", { params });
  const set = async (password: string, wakeSeconds = 300) =>
    await api.call("hostPowerSet", { params, body: { controller, password, wakeSeconds } });
  const off = async (force = false) => await api.call("hostPowerOff", { params, body: { force } });

  await expect(off()).rejects.toMatchObject({ code: "HOST_POWER_UNSET" });
  await expect(set("guess")).rejects.toMatchObject({ code: "HOST_POWER_FAILED" });
  await expect(api.call("hostPowerShow", { params })).rejects.toMatchObject({ code: "HOST_POWER_UNSET" });
  const view = await set(bmcPassword);
  expect(view).toMatchObject({ controller, power: "on", problem: null, host: { state: null, wokeAt: null } });

  await lab.boot({ name: "web-1", on: "a", memoryMib: 192 });
  for (const force of [false, true])
    await expect(off(force)).rejects.toMatchObject({ code: "HOST_NOT_IN_MAINTENANCE" });
  await lab.succeeded(api.call("hostMaintenanceEnter", { params, body: {} }));

  // A host of a lab may count as lost before its agent has started.
  const before = (await readFile(logFile, "utf8")).length;
  // The server is killed while the host goes down, and the next one sees it off.
  bmc.works = false;
  const { id } = await off();
  expect(await until(() => bmc.resets.length > 0, { everyMs: 50, limitMs: 60_000 })).toBe(true);
  await expect(api.call("hostMaintenanceExit", { params })).rejects.toMatchObject({
    code: "HOST_TASK_UNDER_WAY",
  });
  await lab.lab.server.end();
  await bmc.power("Off");
  await lab.lab.server.start();
  expect(await lab.ended({ id } as Awaited<ReturnType<typeof off>>)).toMatchObject({
    state: "succeeded",
    result: { power: "off" },
  });
  expect(bmc.resets).toEqual(["GracefulShutdown"]);
  const standby = await shown();
  expect(standby).toMatchObject({ state: "standby", maintenance: "on", alarms: [] });
  expect(standby.unreachableReason).toContain("it is powered off since");
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);

  // One that does not wake has an alarm until it has.
  await set(bmcPassword, 3);
  const late = await lab.ended(api.call("hostPowerOn", { params }));
  expect(late).toMatchObject({ state: "failed", error: { code: "HOST_DID_NOT_WAKE" } });
  expect((await shown()).alarms.map(({ code }) => code)).toContain("HOST_DID_NOT_WAKE");
  await set(bmcPassword);
  await bmc.power("Off");
  bmc.works = true;
  await lab.succeeded(api.call("hostPowerOn", { params }));
  const back = await shown();
  expect(back).toMatchObject({
    state: "connected",
    maintenance: "on",
    power: { state: null, wakeFailure: null },
  });
  expect(back.power?.wokeAt).not.toBeNull();
  expect(back.alarms.map(({ code }) => code)).not.toContain("HOST_DID_NOT_WAKE");
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);

  await lab.succeeded(off(true));
  expect(bmc.resets.at(-1)).toBe("ForceOff");
  expect((await shown()).state).toBe("standby");

  // Wake-on-LAN: it is back when its agent answers; its agent shuts it down, and nobody can tell whether it is off.
  const mac = "3c:ec:ef:12:34:56";
  await api.call("hostPowerSet", {
    params,
    body: { controller: { kind: "wol", mac, broadcast: "10.87.1.255" } },
  });
  const waking = await api.call("hostPowerOn", { params });
  const flag = join(lab.lab.folder, "down");
  await host.configure({ updates: { commands: true, powerOffCommand: `touch ${flag}` } });
  await host.powerOn();
  expect(await lab.ended(waking)).toMatchObject({ state: "succeeded", result: { wasOff: true } });
  await expect(off(true)).rejects.toMatchObject({ code: "HOST_POWER_CUT_UNSUPPORTED" });
  const down = await off();
  expect(await until(() => stat(flag).catch(() => null), { everyMs: 100, limitMs: 60_000 })).not.toBeNull();
  await host.cutPower();
  expect(await lab.ended(down)).toMatchObject({ state: "succeeded", result: { power: null } });
  expect((await shown()).state).toBe("standby");

  // The password is in nothing that the server tells, and its log has no loss of the host.
  const told = JSON.stringify([await api.call("hostPowerShow", { params }), await api.call("taskList", {})]);
  expect(told).not.toContain(bmcPassword);
  const log = await readFile(logFile, "utf8");
  expect(log).not.toContain(bmcPassword);
  const since = log.slice(before);
  expect(since).toContain('"host does not answer: the server changes its power"');
  expect(
    since.split("\n").filter((line) => line.includes('"host lost"') && line.includes('"host":"a"')),
  ).toEqual([]);
});
