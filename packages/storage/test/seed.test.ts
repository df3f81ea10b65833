/** A VM's seed: what is in it, as other parsers read it; whose it is; and that it goes with the VM. */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cloudInitSchema,
  seedDrive,
  summaryOf,
  vmDescriptionSchema,
  type CloudInit,
  type VmId,
} from "@godwit/contract";
import { run, userIds } from "@godwit/system";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { createVm, Datastore, deleteVm, giveDisks, markDatastore, VmDatastores } from "../src/index.ts";
import { seedFiles } from "../src/seed/seed-files.ts";

const id = "22222222-2222-4222-8222-222222222222" as VmId;
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJpVBqZvqk0p3v3rQ4oJx0Z0m2r5mJk3yq9d8J0c9fHk";
const filesOf = (cloudInit: CloudInit) =>
  Object.fromEntries(seedFiles({ id, vm: "web-1" }, cloudInit).map(({ name, content }) => [name, content]));

test("what is not said is the VM's name, no key, and nothing to be done", () => {
  const files = filesOf({});
  expect(Object.keys(files)).toEqual(["meta-data", "user-data"]);
  expect(parse(files["meta-data"] ?? "")).toEqual({ "instance-id": id, "local-hostname": "web-1" });
  expect(files["user-data"]).toMatch(/^#cloud-config\n/);
  expect(parse(files["user-data"] ?? "")).toEqual({});
});

test("whatever the contract takes as host name and keys is in the meta-data as it is, and nothing else is", () => {
  const comment = fc.string({
    unit: fc.constantFrom(...Array.from("ab \"'\\:#{}[]&*!|>%@`-,?=\t~")),
    maxLength: 40,
  });
  const hostname = fc.oneof(
    fc.string({ unit: fc.constantFrom(...Array.from("aZ0-.\n\r: #\"'{}")), maxLength: 30 }),
    fc.constantFrom("web-1", "yes", "0x10", "1e3", "null", "a.b.c", "12:30:00", "web\nrun: [x]"),
  );
  fc.assert(
    fc.property(hostname, fc.array(comment, { maxLength: 3 }), (name, comments) => {
      const given = { hostname: name, sshKeys: comments.map((text) => `${key} ${text}`) };
      const taken = cloudInitSchema.safeParse(given);
      if (!taken.success) return;
      const text = filesOf(taken.data)["meta-data"] ?? "";
      const expected = {
        "instance-id": id,
        "local-hostname": name,
        ...(comments.length === 0 ? {} : { "public-keys": given.sshKeys }),
      };
      expect(parse(text, { version: "1.1" })).toEqual(expected);
      expect(parse(text)).toEqual(expected);
      expect(JSON.parse(text)).toEqual(expected);
    }),
    { numRuns: 2000 },
  );
});

test("host names and keys that could be more than that are refused", () => {
  const refused: CloudInit[] = [
    ...["", "-a", "a b", "a\nb", "a..b", "a".repeat(64), "ä"].map((hostname) => ({ hostname })),
    ...[
      ...["", "AAAA", `${key}\n${key}`, `command="x" ${key}`, `${key} é`, "ssh-rsa AAAA", `${key} a\0b`],
      "-----BEGIN OPENSSH PRIVATE KEY-----",
    ].map((one) => ({ sshKeys: [one] })),
    { sshKeys: Array.from({ length: 33 }, () => key) },
    { userData: "" },
    { userData: "#!\0" },
    { userData: "ä".repeat(32 * 1024 + 1) },
    { networkConfig: "a".repeat(64 * 1024 + 1) },
  ];
  for (const one of refused) expect(cloudInitSchema.safeParse(one).success).toBe(false);
  expect(cloudInitSchema.safeParse({ userData: "ä".repeat(32 * 1024) }).success).toBe(true);
});

test("a summary has no word of it", () => {
  const summary = summaryOf({
    hostname: "web",
    sshKeys: [key],
    userData: "#!secré",
    networkConfig: "secret",
  });
  expect(summary).toEqual({ hostname: "web", sshKeys: 1, userDataBytes: 8, networkConfigBytes: 6 });
});

let folder: string;
let datastore: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-seed-"));
  await chmod(folder, 0o755); // QEMU's user can get in
  await markDatastore({ name: "shared", path: folder, shared: true }, "a");
  datastore = await Datastore.open({ name: "shared", path: folder, shared: true }, "a");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const userData = "#cloud-config\npassword: secrét\nchpasswd: { expire: false }\n";
const create = async (cloudInit?: CloudInit | null) =>
  await createVm(new VmDatastores(datastore), {
    id,
    description: vmDescriptionSchema.parse({
      ...{ name: "web-1", datastore: "shared", memoryMib: 64 },
      cdroms: [seedDrive("web-1")],
    }),
    cloudInit,
    defaults: { machine: "pc-q35-7.2", cpu: { model: "qemu64-v1", add: [], remove: [] }, macs: [] },
    owner: "nobody",
    host: "a",
  });
const seed = () => join(folder, "web-1/cloud-init.iso");
const ownerOf = async () => {
  const { uid, mode } = await stat(seed());
  return { uid, mode: mode & 0o7777 };
};

test("the image has the files by the names and the label that cloud-init looks for", async () => {
  const vm = await create({
    hostname: "web-1.example.org",
    sshKeys: [key],
    userData,
    networkConfig: "version: 2\n",
  });
  expect(vm.cdroms).toEqual([
    {
      ...{ name: "cloud-init", connected: true, bus: "virtio-scsi" },
      medium: { datastore: "shared", path: "web-1/cloud-init.iso" },
    },
  ]);
  const xorriso = async (...words: string[]) =>
    await run("xorriso", ["-indev", `stdio:${seed()}`, ...words], { what: "test" });
  expect((await xorriso("-pvd_info")).stdout).toMatch(/^Volume Id +: cidata$/m);
  const out = join(folder, "out");
  await xorriso("-osirrox", "on", "-extract", "/", out);
  expect((await readdir(out)).sort()).toEqual(["meta-data", "network-config", "user-data"]);
  expect(await readFile(join(out, "user-data"), "utf8")).toBe(userData);
  expect(parse(await readFile(join(out, "meta-data"), "utf8"))).toMatchObject({
    "local-hostname": "web-1.example.org",
    "public-keys": [key],
  });
});

test("it can be read by its user alone, is given to the VM's own user with the disks, and goes with the VM", async () => {
  const vm = await create({ userData });
  const { uid: nobody } = await userIds("nobody");
  expect(await ownerOf()).toEqual({ uid: nobody, mode: 0o600 });
  expect((await readdir(join(folder, "web-1"))).sort()).toEqual(["cloud-init.iso", "vm.json"]);
  expect(await readFile(join(folder, "web-1/vm.json"), "utf8")).not.toContain("secr");
  expect(await giveDisks(new VmDatastores(datastore), vm, { uid: 123_456, gid: 123_456 })).toBeNull();
  expect(await ownerOf()).toEqual({ uid: 123_456, mode: 0o600 });
  expect(await create({ userData: "#!/bin/sh\n" })).toEqual(vm); // the same VM again
  await deleteVm(new VmDatastores(datastore), "web-1", "none");
  expect(existsSync(join(folder, "web-1"))).toBe(false);
});

test("nothing that lies there is written over or led through, and what failed leaves nothing", async () => {
  await mkdir(join(folder, "web-1"));
  await writeFile(seed(), "mine");
  await expect(create({ userData })).rejects.toMatchObject({ code: "SEED_EXISTS" });
  expect(await readFile(seed(), "utf8")).toBe("mine");
  await rm(seed());
  await mkdir(join(folder, "other"));
  await symlink("../other", join(folder, "web-1/.cloud-init"));
  await symlink("/etc/hostname", seed());
  await expect(create({ userData })).rejects.toMatchObject({ code: "SEED_EXISTS" });
  await rm(seed());
  await create({ userData });
  expect(await readdir(join(folder, "other"))).toEqual([]);
});

test("what a crash left of an attempt is made anew, and removed where nobody knows any more what it was to be", async () => {
  const work = join(folder, "web-1/.cloud-init");
  const crashed = async () => {
    await mkdir(work, { recursive: true });
    await writeFile(join(work, "user-data"), userData);
    await writeFile(seed(), "half");
    await writeFile(join(folder, "web-1/.godwit-creating"), `${id}\n`);
  };
  await crashed();
  await expect(create(null)).rejects.toMatchObject({ code: "SEED_LOST" });
  expect(existsSync(work) || existsSync(seed())).toBe(false);
  await crashed();
  await create({ userData });
  expect((await stat(seed())).size).toBeGreaterThan(2048);
  expect(existsSync(work)).toBe(false);
  expect(await create(null)).toMatchObject({ id }); // it is there
});
