/** A pool that restarts VMs: a host dies, a process dies, the server with it. No VM ever runs twice, and none takes the room of the next failure. */
import { GodwitError, isEnded } from "@godwit/contract";
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
  for (const name of names) {
    await lab.create({ name, on: "a", memoryMib: 192 });
    await lab.succeeded(api.call("vmSet", { params: { vm: name }, body: { maxMemoryMib: 320 } }));
    await lab.succeeded(api.call("vmStart", { params: { vm: name }, body: {} }));
  }
  const restart = (priority: "high" | "low" | "never") => ({ kind: "restart", priority }) as const;
  const add = async (name: string, terms: ReturnType<typeof restart>, vms: string[]) => {
    await api.call("poolRuleAdd", { params, body: { name, terms, vms } });
  };
  await add("first", restart("high"), ["db-1"]);
  await add("later", restart("low"), ["web-1"]);
  await add("by-hand", restart("never"), ["idle-1"]);
  await api.call("poolRuleAdd", {
    params,
    body: { name: "apart", terms: { kind: "apart", must: true, of: "host" }, vms: ["db-1", "web-1"] },
  });
  await api.call("poolRestartSet", { params, body: { enabled: true } });
  const over = new AbortController();
  const told: string[] = [];
  const following = (async () => {
    for await (const event of api.follow("events", { signal: over.signal, after: 0 }))
      if (event.type === "pool.vmRestarted") told.push(event.data.task);
  })();
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
  // The server is killed while it is started; what became of the start is told all the same, once.
  const begun = await until(
    async () =>
      (await api.call("taskList", {})).tasks.find(
        (task) =>
          task.kind === "vm.start" &&
          task.actor === "restart" &&
          task.subject.name === "web-1" &&
          !isEnded(task),
      ),
    { everyMs: 100, limitMs: 120_000 },
  );
  expect(begun).not.toBeNull();
  await lab.lab.server.end();
  await lab.lab.server.start();
  const again = await until(
    async () => {
      const { tasks: now } = await api.call("taskList", {});
      const done = now.filter(
        ({ kind, actor, subject, state }) =>
          kind === "vm.start" && actor === "restart" && subject.name === "web-1" && state === "succeeded",
      );
      return done.length === 2 && done;
    },
    { everyMs: 500, limitMs: 120_000 },
  );
  expect(again).not.toBeNull();
  expect((await whereAll())[1]).toHaveLength(1);
  const restarts = [...starts, ...(again || []).slice(0, 1)].map(({ id }) => id).sort();
  await until(() => told.length >= restarts.length, { everyMs: 100, limitMs: 60_000 });
  over.abort();
  await following;
  expect(told.sort()).toEqual(restarts);

  // Room for the next failure is kept: two hosts are left, and the two VMs that may not meet would have to.
  await api.call("poolAdmissionSet", { params, body: { enabled: true } });
  const [, first] = await whereAll();
  const where = { params: { vm: "idle-1" }, body: { host: first?.[0] ?? "" } };
  const refusalOf = async (call: Promise<unknown>): Promise<unknown> => {
    const refusal: unknown = await call.then(
      () => null,
      (error: unknown) => error,
    );
    return GodwitError.is(refusal) && [refusal.code, refusal.message];
  };
  const notAdmitted = [
    "POOL_ADMISSION_REFUSED",
    expect.stringMatching(
      /^VM idle-1 is not admitted to host [bc]: if host [bc] failed, no other host of pool east could take (db|web)-1/,
    ),
  ];
  const set = { params: { vm: "idle-1" } };
  expect(await refusalOf(api.call("vmStart", where))).toEqual(notAdmitted);
  await lab.succeeded(api.call("vmStart", { ...where, body: { ...where.body, force: true } }));
  expect(await refusalOf(api.call("vmSet", { ...set, body: { memoryMib: 320 } }))).toEqual(notAdmitted);
  // Its host is asked then, and gives no memory to an emulated guest that runs.
  expect(await lab.ended(api.call("vmSet", { ...set, body: { memoryMib: 320, force: true } }))).toMatchObject(
    { state: "failed", error: { code: "VM_MEMORY_FIXED" } },
  );
});
