/** What lies on a datastore, told without following what leads elsewhere. */
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datastore, browse, markDatastore } from "@godwit/storage";
import { afterEach, beforeEach, expect, test } from "vitest";

let folder: string;
let datastore: Datastore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-browse-"));
  const config = { name: "vms", path: folder, shared: false };
  await markDatastore(config, "a");
  datastore = await Datastore.open(config, "a");
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("files, folders and links are told as what they are, with what they take", async () => {
  await mkdir(join(folder, "isos"));
  await writeFile(join(folder, "isos/b.iso"), "12345");
  await writeFile(join(folder, "isos/sparse.raw"), "");
  await truncate(join(folder, "isos/sparse.raw"), 1048576);
  await symlink("/etc/shadow", join(folder, "isos/a.iso"));
  expect(await browse(datastore, "isos")).toMatchObject({
    entries: [
      { name: "a.iso", kind: "link" },
      { name: "b.iso", kind: "file", bytes: 5 },
      { name: "sparse.raw", kind: "file", bytes: 1048576, allocatedBytes: 0 },
    ],
    isWhole: true,
  });
  const { entries } = await browse(datastore, null);
  expect(entries.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
    ".godwit-datastore.json file",
    "isos folder",
  ]);
});

test("what is no folder of the datastore itself is refused: missing, a file, a link, and what lies behind one", async () => {
  await writeFile(join(folder, "file"), "");
  await symlink("/etc", join(folder, "link"));
  for (const [path, found] of [
    ["none", "missing"],
    ["file", "file"],
    ["link", "link"],
    ["link/ssl", "link"],
  ] as const)
    await expect(browse(datastore, path)).rejects.toMatchObject({
      code: "DATASTORE_FOLDER_MISSING",
      problem: { details: { found } },
    });
});
