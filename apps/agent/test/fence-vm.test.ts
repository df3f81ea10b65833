/** What a host must be kept from writing to before its VM starts elsewhere, as the VM's storage has it. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, volumePath } from "@godwit/contract";
import { Datastore, markDatastore, relocationOf, saveVm } from "@godwit/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { revokeVm, type FenceParts } from "../src/reservations/fence-vm.ts";

const id = "22222222-2222-4222-8222-222222222222";
const vm = vmSchema.parse({
  ...{ version: 2, id, name: "web-1", datastore: "shared" },
  ...{ memoryMib: 64, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", nics: [] },
  disks: [{ name: "data", datastore: "san", path: volumePath(id, "data"), format: "raw", taken: false }],
});
let folder: string;
let home: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-fence-"));
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  home = await Datastore.open(config, "a");
  await mkdir(join(folder, "web-1"));
  await saveVm(home, vm);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** @returns LUNs that the host's key was taken away at, or why it was not */
async function fencedOn(reserved: string[]): Promise<string[]> {
  const asked: string[] = [];
  const parts = {
    disks: {
      silentLease: () => Promise.resolve({ path: join(folder, "web-1/lease-7"), offset: 0 }),
      revoke: () => Promise.resolve(),
    },
    reservations: {
      mayTake: (lun: string) => {
        asked.push(lun);
        return Promise.resolve();
      },
    },
    datastore: () => Promise.resolve(home),
    reserved: () => reserved,
  } as unknown as FenceParts;
  const { name, datastore } = vm;
  return await revokeVm(parts, { id: vm.id, name, datastore }, "b", []).then(
    () => asked,
    (error: unknown) => [(error as Error).message],
  );
}

test("of a disk that is being moved to another LUN, the host is fenced at both, or not at all", async () => {
  expect(await fencedOn(["san"])).toEqual(["san"]);
  const [disk] = vm.disks;
  if (disk === undefined) throw new Error("it has a disk");
  const note = relocationOf(vm, disk, "san-2", { isVolume: true });
  await writeFile(join(folder, "web-1/.godwit-relocation"), JSON.stringify(note));
  expect((await fencedOn(["san", "san-2"])).sort()).toEqual(["san", "san-2"]);
  expect(await fencedOn(["san"])).toEqual([
    expect.stringContaining("its disk data lies on no LUN with persistent reservations"),
  ]);
  // A file that is removed under a copy takes nobody else's place.
  const toFile = relocationOf(vm, disk, "filer");
  await writeFile(join(folder, "web-1/.godwit-relocation"), JSON.stringify(toFile));
  expect(await fencedOn(["san"])).toEqual(["san"]);
});
