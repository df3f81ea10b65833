/** VMs of other products on a real datastore: their images are converted by the real qemu-img, and whoever wrote them may be hostile. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GodwitError, type VmId, type VmImportOrder } from "@godwit/contract";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeStore, storeFolder } from "./store-folder.ts";
import { createVm, readImport, type Datastore, VmDatastores } from "../src/index.ts";

let base: string;
let folder: string;
let store: Datastore;
beforeEach(async () => {
  ({ base, folder, store } = await storeFolder());
});
afterEach(async () => {
  await removeStore({ base });
});

const mib = 1048576;
/** What is on the disk, different at each place. */
const content = Buffer.from(
  Uint32Array.from({ length: (4 * mib) / 4 }, (_, index) => (index % 4096 < 512 ? index * 2654435761 : 0))
    .buffer,
);
const qemuImg = (...args: string[]) => execFileSync("qemu-img", args, { cwd: folder, stdio: "pipe" });
const fixture = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`fixtures/import/${name}`, import.meta.url)), "utf8");
const vmx = (...lines: string[]) =>
  ['config.version = "8"', 'displayName = "web-1"', 'memsize = "64"', ...lines].join("\n");
const diskLine = (file: string, at = "scsi0:0") => [`${at}.present = "TRUE"`, `${at}.fileName = "${file}"`];

const read = async (path: string, more: Partial<VmImportOrder> = {}) =>
  await readImport(store, {
    source: { datastore: "vms", path },
    datastore: "vms",
    portGroup: "office",
    ...more,
  });

let ids = 0;
const create = async (path: string, more: Partial<VmImportOrder> = {}) =>
  await createVm(new VmDatastores(store), {
    id: `22222222-2222-4222-8222-${String(++ids).padStart(12, "0")}` as VmId,
    description: (await read(path, more)).description,
    defaults: {
      machine: "pc-q35-7.2",
      cpu: { model: "qemu64-v1", add: [], remove: [] },
      macs: ["52:54:00:00:00:01", "52:54:00:00:00:02"],
    },
    owner: "nobody",
    host: "a",
  });

/** What a guest would find on the disk. */
function onDisk(path: string, format: string): Buffer {
  qemuImg("convert", "-f", format, "-O", "raw", path, join(base, "seen.raw"));
  return readFileSync(join(base, "seen.raw"));
}
const refusal = async (made: Promise<unknown>): Promise<string> =>
  await made.then(
    () => "not refused",
    (error: unknown) => (GodwitError.is(error) ? `${error.code}: ${error.message}` : String(error)),
  );

/** A tar archive of files, in their order. */
function tar(files: Record<string, Buffer | string>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, given]) => {
    const bytes = Buffer.from(given);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write("0000644\0", 100);
    header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("        0", 148);
    header.write("ustar\0" + "00", 257);
    const sum = header.reduce((all, byte) => all + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
const sha256 = (bytes: Buffer | string) => createHash("sha256").update(bytes).digest("hex");

test("a VM of an ESX host: flat disks by their descriptors, in a folder with blanks in its name", async () => {
  const name = "Web Server (old)";
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, `${name}.vmx`), fixture("web.vmx"));
  for (const disk of [name, `${name}_1`]) {
    await writeFile(join(folder, name, `${disk}-flat.vmdk`), content);
    const lines = [
      `RW ${String(content.length / 512)} VMFS "${disk}-flat.vmdk"`,
      "",
      'ddb.adapterType = "lsilogic"',
    ];
    const head = ["# Disk DescriptorFile", "version=1", "CID=1", "parentCID=ffffffff", 'createType="vmfs"'];
    await writeFile(join(folder, name, `${disk}.vmdk`), [...head, ...lines].join("\n"));
  }
  const path = `${name}/${name}.vmx`;
  const networks = { "VM Network": "office", "Backup = night": "backup" };
  const { description, report } = await read(path, { networks });
  expect(description).toMatchObject({
    ...{ name: "web-server-old", memoryMib: 4096, vcpus: 4, firmware: "uefi", secureBoot: true },
    cpu: { masks: { "cpuid.1.ecx": "----:----:----:---0:----:----:----:----" } },
    nics: [
      { portGroup: "office", mac: "00:50:56:9a:11:22" },
      { portGroup: "backup", mac: "00:50:56:00:00:07" },
    ],
    cdroms: [{ name: "cd0" }],
  });
  expect(report.notCarried.map(({ what }) => what)).toContain("CPU mask cpuid.80000001.edx = nonsense");
  const vm = await create(path, { networks });
  expect(vm.disks).toMatchObject([
    { name: "scsi0-0", path: "web-server-old/scsi0-0.qcow2", format: "qcow2", taken: false },
    { name: "scsi0-1", path: "web-server-old/scsi0-1.qcow2" },
  ]);
  for (const disk of vm.disks) expect(onDisk(disk.path, "qcow2").equals(content)).toBe(true);
  expect((await readdir(join(folder, "web-server-old"))).sort()).toEqual([
    "scsi0-0.qcow2",
    "scsi0-1.qcow2",
    "tpm",
    "vm.json",
  ]);
  expect(readFileSync(join(folder, name, `${name}-flat.vmdk`)).equals(content)).toBe(true);
});

test("an OVA: its disk is read inside the archive, and must have the checksum of its manifest", async () => {
  await writeFile(join(base, "disk.raw"), content);
  qemuImg(
    "convert",
    "-O",
    "vmdk",
    "-o",
    "subformat=streamOptimized",
    join(base, "disk.raw"),
    join(base, "disk.vmdk"),
  );
  const disk = readFileSync(join(base, "disk.vmdk"));
  const ovf = fixture("appliance.ovf");
  const manifest = `SHA256(appliance.ovf)= ${sha256(ovf)}\nSHA256(appliance-disk1.vmdk)= ${sha256(disk)}\n`;
  const files = { "appliance.ovf": ovf, "appliance.mf": manifest, "appliance-disk1.vmdk": disk };
  await writeFile(join(folder, "appliance.ova"), tar(files));
  const vm = await create("appliance.ova", { format: "raw" });
  expect(vm).toMatchObject({
    name: "appliance",
    memoryMib: 1024,
    disks: [{ path: "appliance/hard-disk-1.raw" }],
  });
  expect(readFileSync(join(folder, "appliance/hard-disk-1.raw")).equals(content)).toBe(true);

  const other = Buffer.from(disk);
  other[disk.length - 700] = (other[disk.length - 700] ?? 0) ^ 1;
  await writeFile(join(folder, "changed.ova"), tar({ ...files, "appliance-disk1.vmdk": other }));
  expect(await refusal(create("changed.ova", { name: "changed" }))).toMatch(/^IMAGE_CHECKSUM_DIFFERS/);
  await writeFile(join(folder, "changed.ova"), tar({ ...files, "appliance.ovf": `${ovf} ` }));
  expect(await refusal(read("changed.ova"))).toMatch(/^IMPORT_UNREADABLE.*it was changed/);
  expect(existsSync(join(folder, "changed"))).toBe(false);
  // The same package, not packed.
  await mkdir(join(folder, "ovf"));
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, "ovf", name), bytes);
  const unpacked = await create("ovf/appliance.ovf", { name: "unpacked" });
  expect(onDisk(unpacked.disks[0]?.path ?? "", "qcow2").equals(content)).toBe(true);
});

test("disks of other formats and in pieces, and where an operator says that they are", async () => {
  await writeFile(join(folder, "disk.raw"), content);
  for (const format of ["vdi", "vhdx", "vpc", "qcow2"])
    qemuImg("convert", "-O", format, "disk.raw", `disk.${format}`);
  qemuImg("convert", "-O", "vmdk", "-o", "subformat=monolithicSparse", "disk.raw", "mono.vmdk");
  qemuImg("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "disk.raw", "split.vmdk");
  qemuImg("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentFlat", "disk.raw", "flat.vmdk");
  execFileSync("sh", ["-c", "chmod a+r *"], { cwd: folder });
  await writeFile(
    join(folder, "many.vmx"),
    vmx(
      ...["vdi", "vhdx", "vpc", "qcow2", "raw", "mono", "split", "flat"].flatMap((_, n) =>
        diskLine(`${String(n)}.vmdk`, `scsi0:${String(n)}`),
      ),
    ),
  );
  const files = [
    "disk.vdi",
    "disk.vhdx",
    "disk.vpc",
    "disk.qcow2",
    "disk.raw",
    "mono.vmdk",
    "split.vmdk",
    "flat.vmdk",
  ];
  const disks = Object.fromEntries(files.map((file, n) => [`scsi0:${String(n)}`, file]));
  const vm = await create("many.vmx", { disks });
  expect(vm.disks).toHaveLength(8);
  for (const { path } of vm.disks)
    expect(onDisk(path, "qcow2").subarray(0, content.length).equals(content)).toBe(true);
});

test("what lies outside of the source's folder is reached by no extent, parent, link or name", async () => {
  const secret = join(base, "secret");
  await writeFile(secret, content);
  await chmod(secret, 0o644);
  await mkdir(join(folder, "other"));
  await writeFile(join(folder, "other/vm.json"), "{}");
  await writeFile(join(folder, "other/root.raw"), content);
  await writeFile(join(folder, "a.vmx"), vmx(...diskLine("a.vmdk")));
  const sectors = String(content.length / 512);
  const refused = async (...lines: string[]) => {
    await writeFile(
      join(folder, "a.vmdk"),
      ["# Disk DescriptorFile", "version=1", "CID=1", ...lines].join("\n"),
    );
    return await refusal(create("a.vmx"));
  };
  const whole = "parentCID=ffffffff";
  expect(await refused(whole, `RW ${sectors} FLAT "${secret}" 0`)).toMatch(
    /^IMAGE_UNREADABLE.*beside its descriptor/,
  );
  expect(await refused(whole, `RW ${sectors} FLAT "../secret" 0`)).toMatch(
    /^IMAGE_UNREADABLE.*beside its descriptor/,
  );
  expect(await refused(whole, `RW ${sectors} FLAT "other/root.raw" 0`)).toMatch(/^IMAGE_UNREADABLE/);
  await symlink(secret, join(folder, "link.vmdk"));
  expect(await refused(whole, `RW ${sectors} FLAT "link.vmdk" 0`)).toMatch(/^DISK_NOT_OWN.*symbolic link/);
  await writeFile(join(folder, "short.vmdk"), "short");
  expect(await refused(whole, `RW ${sectors} FLAT "short.vmdk" 0`)).toMatch(/^IMAGE_UNREADABLE.*cut off/);
  expect(await refused(whole, `RW ${sectors} VMFSRDM "short.vmdk"`)).toMatch(/^IMAGE_UNREADABLE.*raw device/);
  expect(await refused("parentCID=0badf00d", `RW ${sectors} FLAT "short.vmdk" 0`)).toMatch(
    /^IMAGE_IS_SNAPSHOT/,
  );
  expect(await refused(whole, 'parentFileNameHint="/etc/passwd"', `RW 8 FLAT "short.vmdk" 0`)).toMatch(
    /^IMAGE_IS_SNAPSHOT/,
  );

  // QEMU takes the descriptor in a sparse extent without capacity for one that names files.
  qemuImg("create", "-q", "-f", "vmdk", "nested.vmdk", "4M");
  const nested = readFileSync(join(folder, "nested.vmdk"));
  nested.writeBigUInt64LE(0n, 12);
  nested.write(
    `# Disk DescriptorFile\ncreateType="monolithicFlat"\nparentCID=ffffffff\nRW ${sectors} FLAT "${secret}" 0\n`,
    512,
  );
  await writeFile(join(folder, "a.vmdk"), nested);
  expect(await refusal(create("a.vmx"))).toMatch(/^IMAGE_UNREADABLE.*no capacity/);
  await writeFile(join(folder, "b.vmx"), vmx(...diskLine("../secret")));
  expect(await refusal(read("b.vmx"))).toMatch(/^IMPORT_DISK_MISSING/);
  await symlink(secret, join(folder, "c.vmx"));
  expect(await refusal(read("c.vmx"))).toMatch(/^IMPORT_UNREADABLE.*symbolic link/);
  qemuImg("create", "-q", "-f", "qcow2", "-u", "-b", secret, "-F", "raw", "backed.qcow2", "4M");
  expect(await refusal(create("a.vmx", { disks: { "scsi0:0": "backed.qcow2" }, format: "raw" }))).toMatch(
    /^IMAGE_REFERS_ELSEWHERE/,
  );
  expect(await refusal(create("a.vmx", { disks: { "scsi0:0": "other/root.raw" } }))).toMatch(
    /^DISK_OF_OTHER_VM/,
  );
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("an archive with paths, twice the same file, or cut off is refused, and nothing is unpacked", async () => {
  const ovf = fixture("appliance.ovf");
  const refused = async (archive: Buffer) => {
    await writeFile(join(folder, "a.ova"), archive);
    return await refusal(read("a.ova"));
  };
  expect(await refused(tar({ "../../evil.ovf": ovf }))).toMatch(/^IMPORT_UNREADABLE.*in a folder/);
  expect(await refused(tar({ "/etc/cron.d/evil": "x", "a.ovf": ovf }))).toMatch(
    /^IMPORT_UNREADABLE.*in a folder/,
  );
  expect(
    await refused(Buffer.concat([tar({ "a.ovf": ovf }).subarray(0, -1024), tar({ "a.ovf": ovf })])),
  ).toMatch(/two files/);
  expect(await refused(tar({ "a.ovf": ovf }).subarray(0, 1024))).toMatch(/cut off/);
  expect(await refused(tar({ "a.ovf": ovf }))).toMatch(/^IMPORT_DISK_MISSING.*appliance-disk1\.vmdk/);
  expect(await refused(Buffer.from("no archive at all".repeat(100)))).toMatch(/no tar archive/);
  await writeFile(join(folder, "big.vmx"), "");
  await truncate(join(folder, "big.vmx"), 5 * mib);
  expect(await refusal(read("big.vmx"))).toMatch(/larger than 4 MiB/);
  expect((await readdir(folder)).sort()).toEqual([".godwit-datastore.json", "a.ova", "big.vmx"]);
});

test("an import that its host's crash cut off is completed by the same request, and leaves nothing beside the VM", async () => {
  await writeFile(join(folder, "disk.raw"), content);
  qemuImg("convert", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "disk.raw", "a.vmdk");
  execFileSync("sh", ["-c", "chmod a+r *"], { cwd: folder });
  await writeFile(join(folder, "a.vmx"), vmx(...diskLine("a.vmdk")));
  await mkdir(join(folder, "web-1"));
  await writeFile(
    join(folder, "web-1/.godwit-creating"),
    `22222222-2222-4222-8222-${String(ids + 1).padStart(12, "0")}\n`,
  );
  await writeFile(join(folder, "web-1/.scsi0-0.qcow2.copy"), "half of it");
  await writeFile(join(folder, "web-1/.scsi0-0.vmdk"), "half of it");
  const vm = await create("a.vmx");
  expect(onDisk(vm.disks[0]?.path ?? "", "qcow2").equals(content)).toBe(true);
  expect((await readdir(join(folder, "web-1"))).sort()).toEqual(["scsi0-0.qcow2", "vm.json"]);
});

test("an image that holds more than the datastore has room for is refused before it is written", async () => {
  qemuImg("create", "-q", "-f", "vmdk", "huge.vmdk", "60T");
  await chmod(join(folder, "huge.vmdk"), 0o644);
  await writeFile(join(folder, "a.vmx"), vmx(...diskLine("huge.vmdk")));
  expect(await refusal(create("a.vmx", { format: "raw" }))).toMatch(/^SPACE_SHORT/);
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("what QEMU's user may not read is told with the file and the uid", async () => {
  qemuImg("create", "-q", "-f", "vmdk", "closed.vmdk", "4M");
  await chmod(join(folder, "closed.vmdk"), 0o600);
  await writeFile(join(folder, "a.vmx"), vmx(...diskLine("closed.vmdk")));
  expect(await refusal(create("a.vmx"))).toMatch(/^DISK_PERMISSION_DENIED.*closed\.vmdk/);
});

test("a network without a port group, and a disk that is not there, are told with what to say", async () => {
  await writeFile(
    join(folder, "a.vmx"),
    vmx(...diskLine("a.vmdk"), 'ethernet0.present = "TRUE"', 'ethernet0.networkName = "DMZ"'),
  );
  await writeFile(join(folder, "a.vmdk"), "");
  expect(
    await refusal(readImport(store, { source: { datastore: "vms", path: "a.vmx" }, datastore: "vms" })),
  ).toMatch(/^IMPORT_NETWORK_UNMAPPED.*"DMZ"/);
  await rm(join(folder, "a.vmdk"));
  expect(await refusal(read("a.vmx"))).toMatch(/^IMPORT_DISK_MISSING.*a\.vmdk/);
  expect(await refusal(read("a.vmx", { disks: { "scsi9:9": "x.raw" } }))).toMatch(
    /^IMPORT_UNREADABLE.*scsi0:0/,
  );
});

test("a Windows of VMware's has what it has drivers for, and the report says what stayed and what did not", async () => {
  await writeFile(join(folder, "disk.raw"), content);
  execFileSync("sh", ["-c", "chmod a+r disk.raw"], { cwd: folder });
  await writeFile(
    join(folder, "win.vmx"),
    vmx(
      ...['guestOS = "windows2019srv-64"', 'scsi0.virtualDev = "lsisas1068"', ...diskLine("a.vmdk")],
      ...diskLine("b.vmdk", "sata0:1"),
      ...['ethernet0.present = "TRUE"', 'ethernet0.virtualDev = "e1000e"'],
      ...['ethernet1.present = "TRUE"', 'ethernet1.virtualDev = "vmxnet3"'],
    ),
  );
  const disks = { "scsi0:0": "disk.raw", "sata0:1": "disk.raw" };
  const { report } = await read("win.vmx", { disks });
  const changed = report.changed.map(({ what }) => what);
  expect(changed).toContain("disk scsi0:0: lsisas1068 → SATA (AHCI)");
  expect(changed).toContain("ethernet1: vmxnet3 → e1000e");
  expect(report.carried).toContainEqual({ what: "disk sata0:1: sata", value: "SATA (AHCI)" });
  expect(report.carried).toContainEqual({ what: "ethernet0: e1000e", value: "e1000e" });
  const vm = await create("win.vmx", { disks });
  expect(vm.disks.map(({ bus }) => bus)).toEqual(["sata", "sata"]);
  expect(vm.nics.map(({ model }) => model)).toEqual(["e1000e", "e1000e"]);
  expect(vm.version).toBe(2);
});
