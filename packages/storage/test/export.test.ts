/** A VM is exported as an OVA, which other programs read, and which our own import makes the same VM of. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError, type TaskId, type Vm, type VmDescriptionInput, type VmId } from "@godwit/contract";
import { vmDescriptionSchema } from "@godwit/contract";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeStore, storeFolder } from "./store-folder.ts";
import { tarMemberHeader } from "../src/export/tar-blocks.ts";
import { tarHeader } from "../src/import/tar-header.ts";
import { createVm, type Datastore, notExported, readImport, VmDatastores, writeOva } from "../src/index.ts";

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
const id = (number: number) => `33333333-3333-4333-8333-${String(number).padStart(12, "0")}`;
const content = randomBytes(mib);

let ids = 0;
const create = async (description: VmDescriptionInput): Promise<Vm> =>
  await createVm(new VmDatastores(store), {
    id: id(++ids) as VmId,
    description: vmDescriptionSchema.parse(description),
    defaults: {
      machine: "pc-q35-7.2",
      cpu: { model: "qemu64-v1", add: [], remove: [] },
      macs: ["52:54:00:00:00:01", "52:54:00:00:00:02"],
    },
    owner: "nobody",
    host: "a",
  });

async function web(): Promise<Vm> {
  await writeFile(join(folder, "root.raw"), content);
  await truncate(join(folder, "root.raw"), 8 * mib);
  execFileSync("qemu-img", ["convert", "-O", "qcow2", "root.raw", "root.qcow2"], { cwd: folder });
  return await create({
    ...{ name: "web-1", datastore: "vms", memoryMib: 64, vcpus: 4, cdroms: [{ name: "cd0" }] },
    topology: { sockets: 2, cores: 2, threads: 1 },
    disks: [
      { name: "root", image: "root.qcow2" },
      { name: "data", image: "root.raw", format: "raw" },
    ],
    nics: [{ portGroup: "office" }, { portGroup: "backup" }],
    notes: 'asks for <Ada> & "Bob"\non Mondays',
  });
}

const exported = async (vm: Vm, path: string, number = 900): Promise<number> =>
  await writeOva({
    ...{ id: id(number) as TaskId, vm, stores: new VmDatastores(store), to: store },
    ...{ place: { datastore: "vms", path }, user: { uid: 0, gid: 0 }, onCopy: () => undefined },
  });
const refusal = async (made: Promise<unknown>): Promise<string> =>
  await made.then(
    () => "not refused",
    (error: unknown) => (GodwitError.is(error) ? `${error.code}: ${error.message}` : String(error)),
  );
const left = async (): Promise<string[]> =>
  (await readdir(folder, { recursive: true })).filter((name) => /export|\.ova$/.test(name)).sort();

test("what is exported is imported again as the same VM, and tar and sha256sum find it whole", async () => {
  const vm = await web();
  const bytes = await exported(vm, "web.ova");
  expect(await left()).toEqual(["web.ova"]);
  const out = join(base, "out");
  await mkdir(out);
  execFileSync("tar", ["xf", join(folder, "web.ova")], { cwd: out });
  const listed = execFileSync("tar", ["tf", join(folder, "web.ova")], { encoding: "utf8" });
  expect(listed.trim().split("\n")).toEqual(["web-1.ovf", "web-1.mf", "web-1-root.vmdk", "web-1-data.vmdk"]);
  const sums = (await readFile(join(out, "web-1.mf"), "utf8")).replace(/^SHA256\((.*)\)= (.*)$/gm, "$2  $1");
  execFileSync("sha256sum", ["--check", "--strict"], { cwd: out, input: sums });
  expect(bytes).toBe((await readFile(join(folder, "web.ova"))).length);

  const source = { datastore: "vms", path: "web.ova" };
  const { description, report } = await readImport(store, {
    source,
    datastore: "vms",
    name: "web-2",
    networks: { office: "office", backup: "backup" },
  });
  expect(report.notCarried).toEqual([]);
  const again = await create(description);
  expect(again).toMatchObject({ memoryMib: 64, vcpus: 4, cdroms: vm.cdroms, notes: vm.notes });
  expect(again.topology).toEqual({ sockets: 2, cores: 2, threads: 1 });
  expect(again.nics).toEqual(vm.nics);
  expect(again.disks.map(({ name }) => name)).toEqual(["root", "data"]);
  for (const { path } of again.disks) {
    execFileSync("qemu-img", ["convert", "-O", "raw", path, join(base, "seen.raw")], { cwd: folder });
    const seen = await readFile(join(base, "seen.raw"));
    expect(seen.length).toBe(8 * mib);
    expect(seen.subarray(0, mib).equals(content)).toBe(true);
  }
});

test("asked again it is the same file; another's file is never written over", async () => {
  const vm = await web();
  const bytes = await exported(vm, "web.ova");
  expect(await exported(vm, "web.ova")).toBe(bytes);
  expect(await refusal(exported(vm, "web.ova", 901))).toMatch(
    /EXPORT_PLACE_UNUSABLE.*there is such a file already/,
  );
  expect(await refusal(exported(vm, "web-1/web.ova"))).toMatch(
    /EXPORT_PLACE_UNUSABLE.*web-1 is the folder of a VM/,
  );
  expect(await refusal(exported(vm, "exports/web.ova"))).toMatch(
    /EXPORT_PLACE_UNUSABLE.*its folder is not there/,
  );
  expect(await refusal(exported(vm, ".hidden.ova"))).toMatch(/EXPORT_PLACE_UNUSABLE/);
  expect(await left()).toEqual(["web.ova"]);
});

test("what was cut off is made again, and a disk that cannot be read leaves nothing", async () => {
  const vm = await web();
  await mkdir(join(folder, "exports"));
  await mkdir(join(folder, `exports/.godwit-export-${id(900)}`));
  await writeFile(join(folder, `exports/.godwit-export-${id(900)}/root.vmdk`), "half");
  await exported(vm, "exports/web.ova");
  expect(await left()).toEqual(["exports", "exports/web.ova"]);
  await writeFile(join(folder, "web-1/root.qcow2"), "QFI\u00fb, and then nothing that could be an image");
  expect(await refusal(exported(vm, "broken.ova"))).toMatch(/EXPORT_FAILED.*disk root/);
  expect(await left()).toEqual(["exports", "exports/web.ova"]);
});

test("what an OVA has no words for is said", async () => {
  const vm = await web();
  expect(notExported(vm)).toEqual([]);
  const more: Vm = {
    ...vm,
    cpuAffinity: [0],
    topology: { sockets: 1, cores: 2, threads: 2 },
    firmware: { type: "uefi", secureBoot: true },
    cdroms: [{ name: "cd0", medium: { datastore: "vms", path: "debian.iso" }, connected: true }],
  };
  expect(notExported(more).map(({ what }) => what)).toEqual([
    "the ISO image in drive cd0",
    "UEFI variables",
    "the CPU topology",
    "the CPU affinity",
  ]);
});

test("a member's header is read as it was written, however large the member", () => {
  const name = fc.stringMatching(/^[a-z0-9.-]{1,100}$/);
  fc.assert(
    fc.property(name, fc.nat({ max: Number.MAX_SAFE_INTEGER }), (called, bytes) => {
      expect(tarHeader(tarMemberHeader(called, bytes, 1e12))).toEqual({ name: called, bytes, kind: "file" });
    }),
  );
});
