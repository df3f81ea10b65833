/** A fan of a host fails: its VMs are gone from it before it dies. The sensor is simulated where the kernel would show it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run, sleep, until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

/** In the agent's own mount namespace, /sys/class gets a chip with a fan; the network stays as it is. */
const chip = `
mkdir -p /run/net-class
mount --bind /sys/class/net /run/net-class
mount -t tmpfs none /sys/class
mkdir -p /sys/class/net /sys/class/hwmon/hwmon0
mount --move /run/net-class /sys/class/net
echo nct6775 > /sys/class/hwmon/hwmon0/name
echo "CPU fan" > /sys/class/hwmon/hwmon0/fan1_label
echo 600 > /sys/class/hwmon/hwmon0/fan1_min
echo 2400 > /sys/class/hwmon/hwmon0/fan1_input
`;

test("a host whose fan stands still is emptied by itself, under load, nothing lost; the pool gives it no VM", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const { api } = lab;
  const params = { pool: "east" };
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  await api.call("poolHealthSet", { params, body: { policy: "evacuate" } });
  for (const name of ["web-1", "web-2"]) await lab.boot({ name, on: "a", memoryMib: 192 });
  const agent = lab.lab.host("a").agent?.pid ?? 0;
  await run("nsenter", ["--target", String(agent), "--mount", "sh", "-ec", chip], {
    what: "simulating a fan",
  });
  await using load = await lab.load();

  const fan = join("/proc", String(agent), "root/sys/class/hwmon/hwmon0/fan1_input");
  await writeFile(fan, "0\n");
  const emptied = await until(
    async () => (await api.call("hostShow", { params: { host: "a" } })).maintenance === "on",
    { everyMs: 1000, limitMs: 180_000 },
  );
  const { alarms, load: report } = await api.call("hostShow", { params: { host: "a" } });
  expect(emptied, JSON.stringify(report?.health)).not.toBeNull();
  expect(alarms.map(({ code, message }) => `${code} ${message}`)).toContain(
    "HOST_UNHEALTHY Host a may fail at any time: CPU fan of nct6775: it stands still.",
  );
  const { tasks } = await api.call("taskList", {});
  expect(
    tasks.filter(({ kind }) => kind === "host.enterMaintenance").map(({ actor, state }) => [actor, state]),
  ).toEqual([["health", "succeeded"]]);
  for (const name of ["web-1", "web-2"]) {
    const { id } = await lab.vm(name);
    const [host, ...others] = await lab.runnersOf({ id });
    expect(others).toEqual([]);
    expect(["b", "c"]).toContain(host);
  }
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0 });

  // Back in service by hand while it is not well: it is named, and the pool still gives it nothing.
  await api.call("hostMaintenanceExit", { params: { host: "a" } });
  const back = await api.call("vmCheck", { params: { vm: "web-1" }, body: { to: "a" } });
  expect(back.findings.map(({ code }) => code)).toContain("DESTINATION_UNHEALTHY");

  // What left it comes back when asked to.
  const { vms } = await api.call("hostAway", { params: { host: "a" } });
  expect(vms.map(({ vm }) => vm)).toEqual(["web-1", "web-2"]);
  const { tasks: moves, left } = await api.call("hostBringBack", { params: { host: "a" } });
  expect(left).toEqual([]);
  for (const move of moves) expect(await lab.ended(move)).toMatchObject({ state: "succeeded" });
  expect((await api.call("hostAway", { params: { host: "a" } })).vms).toEqual([]);
  for (const name of ["web-1", "web-2"]) expect(await lab.runnersOf(await lab.vm(name))).toEqual(["a"]);

  // It is not well yet: that it was taken back is the operators' decision, and the pool leaves it so.
  await sleep(12_000); // longer than until the pool looks again
  const after = await api.call("taskList", {});
  expect(after.tasks.filter(({ kind }) => kind === "host.enterMaintenance")).toHaveLength(1);
  expect((await api.call("hostShow", { params: { host: "a" } })).maintenance).toBe("off");
});
