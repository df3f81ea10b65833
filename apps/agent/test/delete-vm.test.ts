/** A VM is deleted as it is once nobody else may change it, and not as it was before its lease was there. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, type Vm } from "@godwit/contract";
import { Datastore, markDatastore, saveVm, VmDatastores } from "@godwit/storage";
import { pino } from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Claims } from "../src/vms/claims.ts";
import { StoredVms, type StoredVmsParts } from "../src/vms/stored-vms.ts";

const vm: Vm = vmSchema.parse({
  ...{ version: 2, id: "22222222-2222-4222-8222-222222222222", name: "web-1", datastore: "shared" },
  ...{ memoryMib: 512, vcpus: 1, cpu: { model: "qemu64-v1" }, machine: "pc-q35-7.2", nics: [] },
  disks: [{ name: "root", path: "web-1/root.raw", format: "raw", taken: false }],
});

let folder: string;
let shared: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-delete-"));
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  shared = await Datastore.open(config, "a");
  await mkdir(join(folder, vm.name));
  await saveVm(shared, vm);
  for (const name of ["root", "data"]) await writeFile(join(folder, vm.name, `${name}.raw`), name);
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test("a disk that another host added while the lease was waited for goes with the VM", async () => {
  const [root] = vm.disks;
  const now: Vm = { ...vm, disks: [...vm.disks, { ...root, name: "data", path: "web-1/data.raw" } as never] };
  const asked: number[] = [];
  const parts = {
    config: { name: "a" },
    environment: {
      datastore: () => Promise.resolve(shared),
      datastoresOf: ({ disks }: Vm) => {
        asked.push(disks.length);
        return Promise.resolve(new VmDatastores(shared, [], []));
      },
    },
    processes: { of: () => undefined, forget: () => undefined },
    claims: new Claims(),
    leases: {
      acquire: async () => {
        await saveVm(shared, now);
        return { kind: "granted" };
      },
      release: () => Promise.resolve(),
    },
    log: pino({ level: "silent" }),
  } as unknown as StoredVmsParts;
  await new StoredVms(parts).delete("shared", vm.name, "made");
  expect([existsSync(join(folder, vm.name)), new Set(asked)]).toEqual([false, new Set([2])]);
});
