/** A VM whose disk is a LUN of an iSCSI target, a real one, of which each host's QEMU is the client. */
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { buildGuest, qemuProcessesOf, serverAddress, startIscsiTarget } from "@godwit/lab";
import { run } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const params = { vm: "web-1" };
const chap = { user: "godwit", secret: "Sesame, open: 7f3a" };
const lun = { name: "data", datastore: "san", image: "lun-1", take: true, format: "raw" as const };

test("a VM on a LUN moves under load; the LUN is nobody else's, is kept when the VM is deleted, and its target's end is told", async () => {
  await using lab = await TestLab.start({
    hosts: ["a", "b"],
    localDatastore: true,
    // The machine's own, whose iSCSI client is a package beside it.
    qemu: { a: "7.2", b: "7.2" },
  });
  const backing = join(lab.lab.folder, "lun");
  const { disk } = await buildGuest(() => undefined);
  await run("qemu-img", ["convert", "-f", "qcow2", "-O", "raw", disk, backing], { what: "filling the LUN" });
  const folder = join(lab.lab.folder, "iscsi");
  const portal = serverAddress;
  const server = await startIscsiTarget({
    ...{ namespace: lab.lab.namespace("server"), folder, address: portal, backing, chap },
  });
  await using _server = server;
  const { target } = server;
  const sourceWith = (shown: typeof chap) => ({ kind: "iscsi" as const, portal, target, chap: shown });
  const add = (name: string, shown = chap) =>
    lab.api.call("datastoreAdd", { body: { name, shared: true, source: sourceWith(shown) } });
  const states = async () =>
    (await lab.api.call("datastoreShow", { params: { datastore: "san" } })).hosts.map(({ state }) => state);

  const failed = async (change: object) => {
    const description = { name: "web-0", datastore: "shared", memoryMib: 64, disks: [{ ...lun, ...change }] };
    return await lab.ended(lab.api.call("vmCreate", { body: { description, host: "a" } }));
  };
  // With another secret, nobody is let in.
  await add("san", { ...chap, secret: "not what the target has" });
  await expect.poll(states, { timeout: 60_000 }).toEqual(["available", "available"]);
  const locked = await failed({});
  expect(locked.error).toMatchObject({ code: "IMAGE_UNREADABLE" });
  expect(locked.error?.detail).toContain("its target refuses the CHAP name or secret");
  await lab.api.call("datastoreRemove", { params: { datastore: "san" }, query: {} });

  const shown = await add("san");
  expect(JSON.stringify(shown)).toContain(chap.user);
  await expect.poll(states, { timeout: 60_000 }).toEqual(["available", "available"]);
  await expect(add("san", { ...chap, secret: "another" })).rejects.toMatchObject({
    code: "DATASTORE_EXISTS",
  });
  await expect(add("other")).rejects.toMatchObject({ code: "DATASTORE_EXISTS" });
  await expect(
    lab.api.call("datastoreInit", { params: { datastore: "san" }, body: { host: "a", onRoot: false } }),
  ).rejects.toMatchObject({ code: "DATASTORE_WITHOUT_FOLDERS" });
  expect(await failed({ image: "lun-7" })).toMatchObject({ error: { code: "IMAGE_UNREADABLE" } });
  expect(await failed({ image: "web-1/data.raw" })).toMatchObject({ error: { code: "DISK_NOT_OWN" } });
  expect(await failed({ take: false })).toMatchObject({ error: { code: "DISK_NOT_OWN" } });

  // Two that want it at once: one has it, and of the other nothing is left.
  const racing = ["web-3", "web-4"].map(async (name) => {
    const description = { name, datastore: "shared", memoryMib: 64, disks: [lun] };
    return await lab.api.call("vmCreate", { body: { description, host: "a" } });
  });
  const ends = await Promise.all(racing.map((task) => lab.ended(task)));
  expect(ends.map(({ error }) => error?.code ?? "made").sort()).toEqual(["DISK_USED_BY_VM", "made"]);
  const [winner] = (await lab.api.call("vmList", { query: {} })).vms;
  expect(["web-3", "web-4"].filter((name) => existsSync(join(lab.lab.sharedFolder, name)))).toEqual([
    winner?.name,
  ]);
  const won = { params: { vm: winner?.name ?? "" }, query: { disks: "all" as const } };
  await lab.succeeded(lab.api.call("vmDelete", won));

  const vm = await lab.boot({ on: "a", disks: [lun] });
  expect(vm.config.disks).toEqual([
    { name: "data", datastore: "san", path: "lun-1", format: "raw", taken: true },
  ]);
  expect(await commandLines(lab)).toEqual([expect.stringContaining(`"target":"${target}","lun":1`)]);
  const twice = { name: "web-2", datastore: "shared", memoryMib: 64, disks: [lun] };
  await expect(lab.api.call("vmCreate", { body: { description: twice, host: "b" } })).rejects.toMatchObject({
    code: "DISK_USED_BY_VM",
  });

  const carried = await lab.api.call("vmCheck", { params, body: { to: "b", datastore: "local" } });
  expect(carried.findings.map(({ code }) => code)).toContain("DISK_IS_LUN");
  {
    await using load = await lab.load();
    for (const to of ["b", "a"]) {
      await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to } }));
      expect(await lab.runnersOf(vm)).toEqual([to]);
    }
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
  }
  expect(await whereItStands(lab, chap.secret)).toEqual([
    "hosts/a/state/agent/datastores.json",
    "hosts/b/state/agent/datastores.json",
  ]);

  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await server[Symbol.asyncDispose]();
  await expect.poll(states, { timeout: 60_000 }).toEqual(["unavailable", "unavailable"]);
  expect(await lab.ended(lab.api.call("vmStart", { params, body: { host: "a" } }))).toMatchObject({
    error: { code: "DATASTORE_UNAVAILABLE" },
  });
  // Without its target a VM can still be deleted; what is on the LUN is its administrator's.
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
  expect((await readFile(backing)).length).toBeGreaterThan(0);
});

/** Of the lab's files, command lines and answers those that have the secret; the database's dump is one of its files. */
async function whereItStands(lab: TestLab, secret: string): Promise<string[]> {
  const { stdout } = await run("grep", ["-rlaF", "--", secret, lab.lab.folder], {
    what: "looking for the secret",
    okCodes: [0, 1],
  });
  const files = stdout.split("\n").filter((line) => line !== "");
  for (const file of files) expect((await stat(file)).mode & 0o077).toBe(0);
  const answers = await Promise.all([
    lab.api.call("datastoreList", {}),
    lab.api.call("hostList", {}),
    lab.api.call("hostShow", { params: { host: "a" } }),
    lab.api.call("taskList", { query: {} }),
  ]);
  expect(JSON.stringify([answers, await commandLines(lab)])).not.toContain(secret);
  return files.map((file) => file.slice(lab.lab.folder.length + 1)).sort();
}

async function commandLines(lab: TestLab): Promise<string[]> {
  const processes = await qemuProcessesOf(lab.lab);
  return await Promise.all(
    processes.map(async ({ pid }) =>
      (await readFile(`/proc/${String(pid)}/cmdline`, "utf8")).replaceAll("\0", " "),
    ),
  );
}
