/** Attacks by whoever can write to a datastore, or may describe a VM: by `vm.json`, by links, by what an image says. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmDescriptionSchema, type Vm, type VmDescriptionInput, type VmId } from "@godwit/contract";
import { userIds } from "@godwit/system";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { headerBytes, imageHeader } from "../src/image-header.ts";
import {
  checkOwnFiles,
  createVm,
  Datastore,
  deleteVm,
  inspectDisks,
  markDatastore,
  readVm,
  VmDatastores,
} from "../src/index.ts";

let folder: string;
let datastore: Datastore;
/** Outside of the datastore, and nobody's business. */
let secret: string;
beforeEach(async () => {
  const base = await mkdtemp(join(tmpdir(), "godwit-ds-"));
  execFileSync("chmod", ["755", base]);
  folder = join(base, "store");
  secret = join(base, "host.key");
  await mkdir(folder);
  await writeFile(secret, "the agent's own key\n".repeat(100), { mode: 0o600 });
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
});
afterEach(async () => {
  await rm(join(folder, ".."), { recursive: true, force: true });
});

const qemuImg = (...args: string[]) => execFileSync("qemu-img", args, { cwd: folder, stdio: "pipe" });
let ids = 0;
const create = async (description: Partial<VmDescriptionInput>) =>
  await createVm(new VmDatastores(datastore), {
    id: `22222222-2222-4222-8222-${String(++ids).padStart(12, "0")}` as VmId,
    description: vmDescriptionSchema.parse({
      name: "web-1",
      datastore: "shared",
      memoryMib: 64,
      ...description,
    }),
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
    owner: "nobody",
    host: "a",
  });
const withImage = async (image: string, format: "qcow2" | "raw" = "qcow2") =>
  await create({ disks: [{ name: "root", image, format }] });
const check = async (vm: Vm) => {
  await checkOwnFiles(new VmDatastores(datastore), vm, "a");
  await inspectDisks(new VmDatastores(datastore), vm, await userIds("nobody"));
};

test("an image with a backing file is refused by name, at creation and when QEMU is to open it, and stays where it was", async () => {
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", "evil.qcow2", "1M");
  const refused = { code: "IMAGE_REFERS_ELSEWHERE", message: expect.stringContaining(secret) as string };
  await expect(withImage("evil.qcow2")).rejects.toMatchObject(refused);
  expect(statSync(join(folder, "evil.qcow2")).uid).toBe(0);
  expect(existsSync(join(folder, "web-1"))).toBe(false);

  qemuImg(
    "create",
    "-q",
    "-f",
    "qcow2",
    "-u",
    "-b",
    'json:{"driver":"nbd"}',
    "-F",
    "raw",
    "json.qcow2",
    "1M",
  );
  await expect(withImage("json.qcow2")).rejects.toMatchObject({
    code: "IMAGE_REFERS_ELSEWHERE",
    message: expect.stringContaining("json:") as string,
  });
  const vm = await create({ disks: [{ name: "root", sizeMib: 1 }] });
  await check(vm);
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", "web-1/root.qcow2", "1M");
  await expect(check(vm)).rejects.toMatchObject(refused);
});

test("a chain is refused at a move's destination whatever that sees of it: the same file, another, or none", async () => {
  const vm = await create({ disks: [{ name: "root", sizeMib: 1 }] });
  const base = join(folder, "base.qcow2");
  const seen: Record<string, () => void> = {
    "the same file": () => qemuImg("create", "-q", "-f", "qcow2", base, "1M"),
    // As where a datastore of the same name is mounted from elsewhere, or a snapshot of it is.
    "another file": () => qemuImg("create", "-q", "-f", "raw", base, "2M"),
    "no file": () => execFileSync("rm", ["-f", base]),
  };
  for (const [what, make] of Object.entries(seen)) {
    execFileSync("rm", ["-f", base]);
    make();
    qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", base, "-F", "qcow2", "web-1/root.qcow2", "1M");
    const found = await check(vm).then(() => null, String);
    expect({ what, found }).toEqual({
      what,
      found: expect.stringContaining(`it refers to the backing file ${base}`) as string,
    });
  }
  qemuImg("create", "-q", "-f", "qcow2", "web-1/root.qcow2", "1M");
  await check(vm);
});

test("an image that is broken is told as that, and not as one in use because of its name", async () => {
  const vm = await create({ name: "clock", disks: [{ name: "root", sizeMib: 1 }] });
  await writeFile(join(folder, "clock/root.qcow2"), "QFI\xfb\0\0\0\x03", "latin1");
  await expect(check(vm)).rejects.toMatchObject({ code: "IMAGE_UNREADABLE" });
});

test("an image that a QEMU has open is not taken over", async () => {
  qemuImg("create", "-q", "-f", "qcow2", "open.qcow2", "1M");
  const io = spawn("qemu-io", ["open.qcow2"], { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(io.stdout, "data"); // its prompt: the image is open and locked
    await expect(withImage("open.qcow2")).rejects.toMatchObject({ code: "DISK_IN_USE" });
  } finally {
    io.stdin.end();
    await once(io, "close");
  }
  await withImage("open.qcow2");
});

test("an image with an external data file is refused", async () => {
  qemuImg("create", "-q", "-f", "qcow2", "-o", "data_file=data.raw", "outer.qcow2", "1M");
  await expect(withImage("outer.qcow2")).rejects.toMatchObject({ code: "IMAGE_REFERS_ELSEWHERE" });
});

test("what an image is must be what its VM's description says", async () => {
  qemuImg("create", "-q", "-f", "qcow2", "a.qcow2", "1M");
  qemuImg("create", "-q", "-f", "vmdk", "b.vmdk", "1M");
  await writeFile(join(folder, "c.raw"), Buffer.alloc(65536));
  await writeFile(join(folder, "d.qcow2"), "QFI\xfb", "latin1");
  await expect(withImage("a.qcow2", "raw")).rejects.toMatchObject({
    code: "IMAGE_FORMAT_DIFFERS",
    message: expect.stringMatching(/described as raw, and its content is qcow2/) as string,
  });
  await expect(withImage("b.vmdk")).rejects.toMatchObject({
    message: expect.stringMatching(/described as qcow2, and its content is vmdk/) as string,
  });
  await expect(withImage("c.raw")).rejects.toMatchObject({ code: "IMAGE_FORMAT_DIFFERS" });
  await expect(withImage("d.qcow2")).rejects.toMatchObject({ code: "IMAGE_UNREADABLE" });
  // A guest may write into its raw disk what it likes, and starts all the same.
  const vm = await withImage("c.raw", "raw");
  execFileSync(
    "dd",
    [`if=${join(folder, "a.qcow2")}`, `of=${join(folder, "web-1/root.raw")}`, "conv=notrunc"],
    {
      stdio: "pipe",
    },
  );
  await check(vm);
});

test("a link is never followed: not in the place of an image, of a folder, of a disk, or of vm.json", async () => {
  const before = statSync(secret);
  await symlink(secret, join(folder, "link.raw"));
  await symlink(join(folder, ".."), join(folder, "out"));
  for (const image of ["link.raw", "out/host.key"]) {
    await expect(withImage(image, "raw")).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  }
  await expect(create({ boot: { kernel: "out/host.key" } })).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  await expect(create({ name: "out", disks: [{ name: "root", sizeMib: 1 }] })).rejects.toMatchObject({
    code: "VM_DESCRIPTION_INVALID",
  });

  const vm = await create({ disks: [{ name: "root", sizeMib: 1, format: "raw" }] });
  await rm(join(folder, "web-1/root.raw"));
  await symlink(secret, join(folder, "web-1/root.raw"));
  await expect(check(vm)).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  await deleteVm(new VmDatastores(datastore), "web-1");
  expect(statSync(secret)).toEqual(before);

  await mkdir(join(folder, "web-2"));
  await symlink(secret, join(folder, "web-2/vm.json"));
  await expect(readVm(datastore, "web-2")).rejects.toMatchObject({ code: "VM_DESCRIPTION_INVALID" });
  execFileSync("mkfifo", [join(folder, "web-2/fifo")]);
  await expect(withImage("web-2/fifo")).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
});

test("files of another VM and of Godwit are not taken over", async () => {
  await create({ name: "web-2", disks: [{ name: "root", sizeMib: 1 }] });
  await writeFile(join(folder, ".godwit-leases"), "");
  for (const image of ["web-2/vm.json", "web-2/root.qcow2"]) {
    await expect(withImage(image, "raw")).rejects.toMatchObject({ code: "DISK_OF_OTHER_VM" });
    await expect(create({ boot: { kernel: image } })).rejects.toMatchObject({ code: "DISK_OF_OTHER_VM" });
  }
  await expect(withImage(".godwit-leases", "raw")).rejects.toMatchObject({ code: "DISK_NOT_OWN" });
  expect(await readVm(datastore, "web-2")).toMatchObject({ name: "web-2" });
});

test("a vm.json that names another's disk deletes nothing, is not started, and is told with what is wrong", async () => {
  const other = await create({ name: "web-2", disks: [{ name: "root", sizeMib: 1 }] });
  const vm = await create({ disks: [{ name: "root", sizeMib: 1 }] });
  const write = async (change: object) => {
    await writeFile(join(folder, "web-1/vm.json"), JSON.stringify({ ...vm, ...change }));
  };
  const invalid = (problem: RegExp) => ({
    code: "VM_DESCRIPTION_INVALID",
    message: expect.stringMatching(problem) as string,
  });
  const forged = { ...vm, disks: other.disks };
  await write(forged);
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject(invalid(/not a disk in the VM's folder/));
  await expect(deleteVm(new VmDatastores(datastore), "web-1")).rejects.toMatchObject({
    code: "VM_DESCRIPTION_INVALID",
  });
  await expect(check(forged)).rejects.toMatchObject({ code: "VM_DESCRIPTION_INVALID" });
  expect(existsSync(join(folder, "web-2/root.qcow2"))).toBe(true);
  await write({ name: "web-2" });
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject(invalid(/name: is web-2/));
  await write({ datastore: "local" });
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject(invalid(/datastore: is local/));
  await write({ disks: [{ name: "root", path: "web-1/vm.json", format: "raw" }] });
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject(invalid(/not a disk/));
  await writeFile(join(folder, "web-1/vm.json"), " ".repeat(300_000));
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject(invalid(/larger than 256 KiB/));
  await writeFile(join(folder, "web-1/vm.json"), "{}");
  await expect(readVm(datastore, "web-1")).rejects.toMatchObject({ code: "VM_DESCRIPTION_INVALID" });
  expect(readFileSync(join(folder, "web-2/vm.json"), "utf8")).toContain("web-2");
});

test("any first bytes of an image are told without an error", () => {
  const qcow2 = fc
    .uint8Array({ maxLength: headerBytes })
    .map((bytes) => Buffer.concat([Buffer.from("QFI\xfb", "latin1"), bytes]));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: headerBytes }), qcow2), (bytes) => {
      const { format, refersTo } = imageHeader(Buffer.from(bytes));
      expect(typeof format).toBe("string");
      expect(refersTo === null || format === "qcow2").toBe(true);
    }),
    { numRuns: Number(process.env.GODWIT_FUZZ_RUNS ?? 2000) },
  );
});
