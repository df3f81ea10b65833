/** Disks of a user that only their VM has: given at a start, and closed to every other VM's user. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmDescriptionSchema, type Vm, type VmId } from "@godwit/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkOpens, createVm, Datastore, giveDisks, markDatastore, VmDatastores } from "../src/index.ts";

const users = {
  web: { uid: 2_010_000_001, gid: 2_010_000_001 },
  other: { uid: 2_010_000_002, gid: 2_010_000_002 },
};
let folder: string;
let datastore: Datastore;
let vm: Vm;
let disk: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  await chmod(folder, 0o755);
  const config = { name: "shared", path: folder, shared: true };
  await markDatastore(config, "a");
  datastore = await Datastore.open(config, "a");
  await writeFile(join(folder, "vmlinuz"), "a kernel", { mode: 0o644 });
  vm = await createVm(new VmDatastores(datastore), {
    id: "22222222-2222-4222-8222-222222222222" as VmId,
    description: vmDescriptionSchema.parse({
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      disks: [
        { name: "root", sizeMib: 1 },
        { name: "data", sizeMib: 1, format: "raw" },
      ],
      boot: { kernel: "vmlinuz" },
    }),
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
    owner: "nobody",
    host: "a",
  });
  disk = join(folder, "web-1/root.qcow2");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a VM's disks become its user's, of mode 0600: that user opens them for writing, and no other VM's does at all", async () => {
  expect(await giveDisks(new VmDatastores(datastore), vm, users.web)).toBeNull();
  for (const path of [disk, join(folder, "web-1/data.raw")]) {
    const { uid, gid, mode } = statSync(path);
    expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ ...users.web, mode: 0o600 });
  }
  await checkOpens(new VmDatastores(datastore), vm, { host: "a", user: users.web });
  await expect(
    checkOpens(new VmDatastores(datastore), vm, { host: "a", user: users.other }),
  ).rejects.toMatchObject({
    code: "DISK_PERMISSION_DENIED",
    message: `QEMU on host a cannot open disk root of VM web-1 (${disk}) as uid 2010000002: Permission denied.`,
  });
  const read = ["--reuid", "2010000002", "--regid", "2010000002", "--clear-groups", "cat", disk];
  expect(() => execFileSync("setpriv", read, { stdio: "pipe" })).toThrow(/Permission denied/);
});

test("a destination that has another uid for QEMU says so before the copy, with both uids", async () => {
  await giveDisks(new VmDatastores(datastore), vm, users.web);
  const asked = { host: "b", user: users.other, sourceUid: users.web.uid };
  await expect(checkOpens(new VmDatastores(datastore), vm, asked)).rejects.toMatchObject({
    code: "DISK_PERMISSION_DENIED",
    message: expect.stringContaining("Where the VM runs now, QEMU has uid 2010000001.") as string,
    problem: { details: { uid: users.other.uid, sourceUid: users.web.uid } },
  });
});

test("a disk that can be read and not written is found, and a kernel that cannot be read", async () => {
  await giveDisks(new VmDatastores(datastore), vm, users.web);
  await chmod(disk, 0o400);
  const asked = checkOpens(new VmDatastores(datastore), vm, { host: "a", user: users.web });
  await expect(asked).rejects.toMatchObject({
    problem: { details: { what: "disk root", reason: "Permission denied" } },
  });
  await chmod(disk, 0o600);
  await chmod(join(folder, "vmlinuz"), 0o600);
  await expect(
    checkOpens(new VmDatastores(datastore), vm, { host: "a", user: users.web }),
  ).rejects.toMatchObject({
    problem: { details: { what: "boot file", path: join(folder, "vmlinuz") } },
  });
});

test("storage that does not let files be given away is told as such; a link is never followed", async () => {
  // Nobody may give away what lies there, as on NFS that squashes root.
  const resolve = () => "/proc/sys/kernel/hostname";
  const squashed = { config: datastore.config, resolve } as unknown as Datastore;
  expect(await giveDisks(new VmDatastores(squashed), vm, users.web)).toBe(
    "datastore shared does not let disks be given to a user of the VM's own (EPERM)",
  );

  await writeFile(join(folder, "secret"), "the agent's own key", { mode: 0o600 });
  await rm(disk);
  await symlink(join(folder, "secret"), disk);
  await expect(giveDisks(new VmDatastores(datastore), vm, users.web)).rejects.toMatchObject({
    code: "ELOOP",
  });
  expect(statSync(join(folder, "secret")).uid).toBe(0);
});
