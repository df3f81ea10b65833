/**
 * A guest with the devices of a VM that comes from VMware: disks on SATA or virtio-scsi, a NIC that is an Intel. It has no driver for
 * virtio in use, writes to its disk all the while, and moves as any other; so do its disks, and it has snapshots. One with a balloon gives memory back
 * to its host before all that, and takes it again after.
 */
import { buildGuest, qemuProcessesOf } from "@godwit/lab";
import { GodwitError, type Task } from "@godwit/contract";
import { processArguments, until } from "@godwit/system";
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

const refusalOf = async (asked: Promise<Task>): Promise<string | null> => {
  try {
    await lab.succeeded(asked);
    return null;
  } catch (error) {
    if (!GodwitError.is(error)) throw error;
    return error.code;
  }
};
const setTarget = (vm: string, balloon: { targetMib?: number }) =>
  refusalOf(lab.api.call("vmSet", { params: { vm }, body: { balloon } }));

/** As its driver has written it into its device; null: it has no such device. */
async function guestHas(vm: string, mib: number | null): Promise<void> {
  const bytes = mib === null ? undefined : mib * 1024 * 1024;
  const has = async () => {
    const { usage } = await lab.api.call("vmShow", { params: { vm } });
    return usage != null && usage.guestMemoryBytes === bytes;
  };
  await until(has, { everyMs: 500, limitMs: 120_000 }); // no event tells of it
  expect(await has()).toBe(true);
}

test.each([
  {
    name: "sata-1",
    models: { bus: "sata", nic: "e1000e" },
    index: 0,
    memory: { balloon: {}, refused: null, all: 256, target: 176 },
  },
  {
    name: "scsi-1",
    models: { bus: "scsi", nic: "e1000" },
    index: 1,
    memory: { balloon: undefined, refused: "BALLOON_MISSING", all: null, target: null },
  },
] as const)(
  "a guest on $models moves under load, there and back",
  async ({ name, models, index, memory }) => {
    const { refused, all, target } = memory;
    const vm = await lab.boot({ on: "a", name, models, balloon: memory.balloon });
    const [qemu] = (await qemuProcessesOf(lab.lab)).filter(({ host }) => host === "a");
    const words = (await processArguments(qemu?.pid ?? 0)) ?? [];
    expect(words.filter((word) => /^virtio-(?:blk|net)/.test(word))).toEqual([]);
    await using load = await lab.load(index);
    await guestHas(name, all);
    expect(await setTarget(name, { targetMib: 176 })).toBe(refused);
    await guestHas(name, target);
    await move(name, "b");
    expect(await lab.runnersOf(vm)).toEqual(["b"]);
    await guestHas(name, target);
    await move(name, "a");
    expect(await lab.runnersOf(vm)).toEqual(["a"]);
    const params = { vm: name };
    for (const datastore of ["local", "shared"])
      await lab.succeeded(lab.api.call("vmDisksRelocate", { params, body: { datastore } }));
    await lab.succeeded(lab.api.call("vmSnapshotCreate", { params, body: { name: "now" } }));
    await guestHas(name, target);
    expect(await setTarget(name, {})).toBe(refused);
    await guestHas(name, all);
    expect((await lab.vm(name)).config.disks).toMatchObject([{ name: "data", bus: models.bus }]);
    expect(await load.finish([])).toMatchObject({ lost: 0, duplicated: 0, reconnects: 0 });
    await lab.succeeded(lab.api.call("vmStop", { params: { vm: name }, body: { graceSeconds: 0 } }));
  },
);
