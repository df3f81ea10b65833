/** A pool that restarts VMs: a host dies, a process dies, a host is only cut off. No VM ever runs twice. */
import { qemusOf } from "@godwit/lab";
import { until } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const names = ["db-1", "web-1", "idle-1"];

test("VMs of a host that died run again elsewhere, the important ones first; one whose QEMU was killed too; never one that a rule leaves", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  const { api } = lab;
  const params = { pool: "east" };
  await api.call("poolCreate", { body: { name: "east", hosts: ["a", "b", "c"] } });
  for (const name of names) await lab.boot({ name, on: "a", memoryMib: 192 });
  const restart = (priority: "high" | "low" | "never") => ({ kind: "restart", priority }) as const;
  const add = async (name: string, terms: ReturnType<typeof restart>, vms: string[]) => {
    await api.call("poolRuleAdd", { params, body: { name, terms, vms } });
  };
  await add("first", restart("high"), ["db-1"]);
  await add("later", restart("low"), ["web-1"]);
  await add("by-hand", restart("never"), ["idle-1"]);
  await api.call("poolRestartSet", { params, body: { enabled: true } });
  const whereAll = async () => {
    const qemus = await qemusOf(lab.lab);
    return await Promise.all(
      names.map(async (name) => {
        const { id } = await lab.vm(name);
        return qemus.filter(({ vmId, running }) => vmId === id && running).map(({ host }) => host);
      }),
    );
  };

  await lab.lab.host("a").cutPower();
  const seen: string[] = [];
  const bothRun = await until(
    async () => {
      const { vms } = await api.call("poolRestarts", { params });
      for (const { vm, state, reason } of vms) seen.push(`${vm} ${state}: ${reason}`);
      const states = await Promise.all(["db-1", "web-1"].map((name) => lab.vm(name)));
      return states.every(({ state, host }) => state === "running" && host !== "a");
    },
    { everyMs: 500, limitMs: 180_000 },
  );
  expect(bothRun, seen.join("\n")).not.toBeNull();
  expect(seen.some((line) => /^db-1 soon: its lease is free in \d+ s$/.test(line))).toBe(true);
  expect(seen.some((line) => line.startsWith("idle-1 left: a rule"))).toBe(true);
  const [db, web, idle] = await whereAll();
  expect([db?.length, web?.length, idle?.length]).toEqual([1, 1, 0]);
  const { tasks } = await api.call("taskList", {});
  // The newest first. One that a busy machine failed was tried again.
  const starts = tasks.filter(
    ({ kind, actor, state }) => kind === "vm.start" && actor === "restart" && state === "succeeded",
  );
  expect(starts.map(({ subject }) => subject.name)).toEqual(["web-1", "db-1"]);

  // Its process dies; its host lives.
  const victim = await lab.vm("web-1");
  const [qemu] = (await qemusOf(lab.lab)).filter(({ vmId }) => vmId === victim.id);
  process.kill(qemu?.pid ?? 0, "SIGKILL");
  const again = await until(
    async () =>
      (await api.call("taskList", {})).tasks.filter(
        ({ kind, actor, subject, state }) =>
          kind === "vm.start" && actor === "restart" && subject.name === "web-1" && state === "succeeded",
      ).length === 2,
    { everyMs: 500, limitMs: 120_000 },
  );
  expect(again).not.toBeNull();
  expect((await whereAll())[1]).toHaveLength(1);
});
