/** What an agent tells of VMs' `vm.json`: valid, broken with a reason, or unread, which is neither. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vmSchema, type VmId } from "@godwit/contract";
import { Datastore, markDatastore } from "@godwit/storage";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VmFiles } from "../src/vms/vm-files.ts";

let path: string;
let datastore: Datastore;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "vm-files-"));
  await markDatastore({ name: "shared", path, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path, shared: true }, "a");
});
afterEach(async () => {
  await rm(path, { recursive: true });
});

const id = (digit: string) => `22222222-2222-4222-8222-${digit.repeat(12)}` as VmId;
const asked = (name: string, digit: string, of = "shared") => ({ id: id(digit), name, datastore: of });
const write = async (name: string, digit: string) => {
  await mkdir(join(path, name), { recursive: true });
  const vm = vmSchema.parse({
    ...{ version: 1, id: id(digit), name, datastore: "shared", memoryMib: 64, vcpus: 1, disks: [], nics: [] },
    ...{ machine: "pc-q35-7.2", cpu: { model: "qemu64-v1" } },
  });
  await writeFile(join(path, name, "vm.json"), JSON.stringify(vm));
};

test("each file is told by itself, and one that is repaired is valid again", async () => {
  await write("right", "1");
  await write("cut", "2");
  await writeFile(join(path, "cut", "vm.json"), '{"version":1,');
  await write("other", "3");
  await mkdir(join(path, "gone"));
  await mkdir(join(path, "link"));
  await symlink("/etc/passwd", join(path, "link", "vm.json"));
  const files = new VmFiles(() => Promise.resolve(datastore));
  const vms = [
    asked("right", "1"),
    asked("cut", "2"),
    asked("other", "4"),
    asked("gone", "5"),
    asked("link", "6"),
  ];
  expect(await files.look(vms)).toEqual([
    { id: id("1"), state: "valid" },
    ...[
      ["2", "cut", "not JSON"],
      ["4", "other", id("3")],
      ["5", "gone", "no such file"],
      ["6", "link", "symbolic link"],
    ].map(([digit = "", name = "", words = ""]) => ({
      ...{ id: id(digit), state: "broken", path: join(path, name, "vm.json") },
      reason: expect.stringContaining(words) as string,
    })),
  ]);
  await write("cut", "2");
  expect(await files.look([asked("cut", "2")])).toEqual([{ id: id("2"), state: "valid" }]);
});

test("storage that cannot be asked, or hangs, says nothing of its files, and is asked once", async () => {
  await write("right", "1");
  let hung = 0;
  const files = new VmFiles(async (name) => {
    if (name === "shared") return datastore;
    if (name === "away") throw new Error("not mounted");
    hung += 1;
    return await new Promise<never>(() => undefined);
  });
  const vms = [asked("x", "2", "hangs"), asked("y", "3", "away"), asked("right", "1")];
  for (const _ of [1, 2]) {
    expect((await files.look(vms)).map(({ state }) => state)).toEqual(["unread", "unread", "valid"]);
  }
  expect(hung).toBe(1);
});
