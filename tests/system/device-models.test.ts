/**
 * A guest with the devices of a VM that comes from VMware: disks on SATA or virtio-scsi, a NIC that is an Intel. It has no driver for
 * virtio in use, writes to its disk all the while, and moves as any other; so do its disks, and it has snapshots.
 */
import { buildGuest, qemuProcessesOf } from "@godwit/lab";
import { processArguments } from "@godwit/system";
import { TestLab } from "@godwit/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";

let lab: TestLab;
beforeAll(async () => {
  await buildGuest(() => undefined, "full");
  lab = await TestLab.start({ hosts: ["a", "b"], localDatastore: true });
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

const move = async (vm: string, to: string) => {
  await lab.succeeded(lab.api.call("vmMigrate", { params: { vm }, body: { to, maxOutageMs: 2000 } }));
};

test.each([
  { name: "sata-1", models: { bus: "sata", nic: "e1000e" }, index: 0 },
  { name: "scsi-1", models: { bus: "scsi", nic: "e1000" }, index: 1 },
] as const)("a guest on $models moves under load, there and back", async ({ name, models, index }) => {
  const vm = await lab.boot({ on: "a", name, models });
  const [qemu] = (await qemuProcessesOf(lab.lab)).filter(({ host }) => host === "a");
  const words = (await processArguments(qemu?.pid ?? 0)) ?? [];
  expect(words.filter((word) => /^virtio-(?:blk|net)/.test(word))).toEqual([]);
  await using load = await lab.load(index);
  await move(name, "b");
  expect(await lab.runnersOf(vm)).toEqual(["b"]);
  await move(name, "a");
  expect(await lab.runnersOf(vm)).toEqual(["a"]);
  const params = { vm: name };
  for (const datastore of ["local", "shared"])
    await lab.succeeded(lab.api.call("vmDisksRelocate", { params, body: { datastore } }));
  await lab.succeeded(lab.api.call("vmSnapshotCreate", { params, body: { name: "now" } }));
  expect((await lab.vm(name)).config.disks).toMatchObject([{ name: "data", bus: models.bus }]);
  expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
  await lab.succeeded(lab.api.call("vmStop", { params: { vm: name }, body: { graceSeconds: 0 } }));
});
