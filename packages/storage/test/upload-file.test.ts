/** Files from outside: whole or not there, and never in the place of another. */
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keepUpload, mustTakeUpload, removeUnfinishedUploads } from "../src/upload-file.ts";
import { removeStore, storeFolder, type StoreFolder } from "./store-folder.ts";

let at: StoreFolder;
beforeEach(async () => {
  at = await storeFolder();
});
afterEach(async () => {
  await removeStore(at);
});

const chunks = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)));
const keep = (path: string, bytes: number, ...parts: string[]) =>
  keepUpload(at.store, { id: "1", host: "a", path, bytes }, chunks(...parts), () => undefined);
const unfinished = () => readdir(join(at.folder, ".godwit-uploads")).catch(() => []);
const inStore = (path: string) => join(at.folder, path);

test("it is there when all of it is, in folders that are made for it", async () => {
  const taken: number[] = [];
  const file = { id: "1", host: "a", path: "isos/debian/12.iso", bytes: 8 };
  const sha256 = await keepUpload(at.store, file, chunks("all ", "of i"), (bytes) => taken.push(bytes));
  expect(await readFile(inStore("isos/debian/12.iso"), "utf8")).toBe("all of i");
  expect(sha256).toBe("e1c7e3a2cf09b1336f7906b259c6f9db575f1ce6662ceac085a0fd0c6db9f691");
  expect(taken).toEqual([4, 8]);
  expect(await unfinished()).toEqual([]);
  await keep("empty", 0);
  expect(await readFile(inStore("empty"), "utf8")).toBe("");
});

test("one that ends early, or goes on for too long, leaves nothing", async () => {
  await expect(keep("short", 10, "half")).rejects.toMatchObject({ code: "UPLOAD_FAILED" });
  await expect(keep("long", 3, "four")).rejects.toMatchObject({ code: "UPLOAD_FAILED" });
  expect(await readdir(at.folder)).not.toContain("short");
  expect(await readdir(at.folder)).not.toContain("long");
  expect(await unfinished()).toEqual([]);
});

test("no file is replaced, also by the slower of two; no VM's folder, no link and no name of Godwit's own is written to", async () => {
  await mkdir(inStore("web-1"));
  await writeFile(inStore("web-1/vm.json"), "{}");
  await writeFile(inStore("there"), "before");
  await symlink(at.base, inStore("out"));
  const refused = [
    "there",
    "there/below",
    "web-1/new.qcow2",
    "web-1/deep/new",
    "out/new",
    "vm.json",
    ".godwit-leases",
    "isos/.hidden",
  ];
  for (const path of refused)
    await expect(mustTakeUpload(at.store, { path, bytes: 1 })).rejects.toMatchObject({
      code: "UPLOAD_REFUSED",
    });
  const slower = Readable.from(
    (async function* () {
      yield Buffer.from("slow");
      await writeFile(inStore("raced"), "fast");
      yield Buffer.from("er");
    })(),
  );
  const file = { id: "1", host: "a", path: "raced", bytes: 6 };
  await expect(keepUpload(at.store, file, slower, () => undefined)).rejects.toMatchObject({
    code: "UPLOAD_REFUSED",
  });
  expect(await readFile(inStore("raced"), "utf8")).toBe("fast");
  await expect(keep("huge", 2 ** 50)).rejects.toMatchObject({ code: "SPACE_SHORT" });
});

test("what this host has left unfinished goes, and not what another one writes", async () => {
  await mkdir(inStore(".godwit-uploads"));
  for (const name of ["1.a", "2.b"]) await writeFile(inStore(`.godwit-uploads/${name}`), "part");
  await removeUnfinishedUploads(at.store, "a");
  expect(await unfinished()).toEqual(["2.b"]);
});
