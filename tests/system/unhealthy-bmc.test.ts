/** A host's BMC tells by Redfish that a fan has failed: its VMs are gone from it before it dies, and when it dies nothing is lost. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@godwit/system";
import { bmcPassword, LabBmc, TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const thermal = "/redfish/v1/Chassis/1/Thermal";
const fan = (Health: string, Reading: number) => ({
  Fans: [{ MemberId: "0", Name: "Fan1A", Reading, Status: { State: "Enabled", Health } }],
});

test("a fan fails in the BMC of a host, and the host is emptied under load before its power goes", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b"] });
  const { api } = lab;
  const host = lab.lab.host("a");
  await using bmc = await LabBmc.start(host.namespace, null);
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b"] } });
  await api.call("poolHealthSet", { params: { pool: "east" }, body: { policy: "evacuate" } });
  await lab.boot({ name: "web-1", on: "a", memoryMib: 192 });
  await using load = await lab.load();

  // What a BMC tells is read once a minute: it tells of the fan from its first answer on.
  bmc.set(thermal, fan("Critical", 0));
  await writeFile(join(host.stateFolder, "bmc"), `${bmcPassword}\n`, { mode: 0o600 });
  const { url, fingerprint } = bmc;
  const redfish = { url, user: "godwit", passwordFile: "/var/lib/godwit/bmc", fingerprint };
  await host.configure({ bmc: { redfish } });
  await host.endAgent();
  await host.startAgent();
  const shown = async () => await api.call("hostShow", { params: { host: "a" } });
  const emptied = await until(async () => (await shown()).maintenance === "on", {
    everyMs: 1000,
    limitMs: 180_000,
  });
  const { alarms } = await shown();
  expect(emptied, JSON.stringify(alarms)).toBe(true);
  expect(alarms.map(({ message }) => message)).toContain(
    "Host a may fail at any time: fan Fan1A: its BMC calls it critical, at 0.",
  );
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);
  await host.cutPower();
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });
  expect(await lab.runnersOf(await lab.vm("web-1"))).toEqual(["b"]);
});
