/** A VM whose disk lies on another datastore than its folder: it moves with both, and only to hosts that have both. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { datastorePath, qemuProcessesOf } from "@godwit/lab";
import { TestLab } from "@godwit/test-kit";
import { expect, test } from "vitest";

const params = { vm: "web-1" };

test("a VM with a disk on a second datastore moves under load, is kept from hosts without it, and leaves nothing there", async () => {
  await using lab = await TestLab.start({ hosts: ["a", "b", "c"] });
  // A second storage of all hosts, which only a and b are given.
  const folder = join(lab.lab.sharedFolder, "second");
  await mkdir(folder);
  for (const host of lab.lab.hosts) {
    await host.configure({ datastoreFolders: [datastorePath] });
    await host.endAgent();
    await host.startAgent();
  }
  await expect
    .poll(async () => (await lab.api.call("hostList", {})).hosts.map(({ state }) => state), {
      timeout: 60_000,
    })
    .toEqual(["connected", "connected", "connected"]);
  const source = { kind: "directory" as const, path: `${datastorePath}/second` };
  await lab.api.call("datastoreAdd", { body: { name: "fast", shared: true, source, hosts: ["a", "b"] } });
  await lab.api.call("datastoreInit", { params: { datastore: "fast" }, body: { host: "a", onRoot: true } });
  const leases = async () =>
    (await lab.api.call("datastoreShow", { params: { datastore: "fast" } })).hosts.map(
      (on) => on.leases?.state,
    );
  await expect.poll(leases, { timeout: 90_000 }).toEqual(["joined", "joined"]);

  const vm = await lab.boot({ on: "a", diskOn: "fast" });
  expect(vm.config.disks).toMatchObject([{ datastore: "fast" }]);
  expect(await openOnDatastore(lab)).toEqual(["second/web-1/data.qcow2"]);
  expect((await lab.api.call("datastoreShow", { params: { datastore: "fast" } })).vms).toEqual(["web-1"]);
  await expect(
    lab.api.call("datastoreRemove", { params: { datastore: "fast" }, query: { host: "a" } }),
  ).rejects.toMatchObject({ code: "DATASTORE_IN_USE" });

  expect(await lab.findings("web-1", "c")).toMatchObject([
    { code: "DESTINATION_LACKS_DATASTORE", details: { datastore: "fast", disks: ["disk data"] } },
  ]);
  await expect(lab.api.call("vmMigrate", { params, body: { to: "c" } })).rejects.toMatchObject({
    code: "MOVE_REFUSED",
  });

  await using load = await lab.load();
  for (const to of ["b", "a"]) {
    await lab.succeeded(lab.api.call("vmMigrate", { params, body: { to } }));
    expect(await lab.runnersOf(vm)).toEqual([to]);
    expect(await openOnDatastore(lab)).toEqual(["second/web-1/data.qcow2"]);
  }
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });

  await lab.succeeded(lab.api.call("vmStop", { params, body: { graceSeconds: 0 } }));
  await lab.succeeded(lab.api.call("vmDelete", { params, query: { disks: "all" } }));
  expect(existsSync(join(folder, "web-1"))).toBe(false);
  expect(existsSync(join(lab.lab.sharedFolder, "web-1"))).toBe(false);
  await lab.api.call("datastoreRemove", { params: { datastore: "fast" }, query: {} });
});

/** The images that the one QEMU has open, by the host's own table, relative to the shared storage. */
async function openOnDatastore(lab: TestLab): Promise<string[]> {
  const [only] = await qemuProcessesOf(lab.lab);
  if (only === undefined) throw new Error("no QEMU runs");
  const of = `/proc/${String(only.pid)}/fd`;
  const links = (await readdir(of)).map((fd) => readlink(`${of}/${fd}`).catch(() => ""));
  const images = (await Promise.all(links)).filter((path) => path.endsWith(".qcow2"));
  return [...new Set(images)].map((path) => path.slice(path.indexOf("second/"))).sort();
}
