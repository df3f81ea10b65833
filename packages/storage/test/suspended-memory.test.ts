/** The memory of a VM that is suspended: whole or not there, and never taken for one of disks that were written since. */
import { mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { Suspension } from "@godwit/contract";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changedSince, findMemory, removeMemory, writeMemory } from "../src/suspended-memory.ts";
import { removeStore, storeFolder, type StoreFolder } from "./store-folder.ts";

let at: StoreFolder;
let folder: string;
beforeEach(async () => {
  at = await storeFolder();
  folder = join(at.folder, "web-1");
  await mkdir(folder);
});
afterEach(async () => {
  await removeStore(at);
});

const stream = (...parts: string[]) => Readable.from(parts.map((part) => Buffer.from(part)));

test("it is there when all of it is, for root only, and in the place of what an earlier attempt left", async () => {
  await writeFile(join(folder, ".suspended-memory.new"), "cut off");
  expect(await writeMemory(at.store, "web-1", stream("the ", "memory"))).toBe(10);
  expect(await readdir(folder)).toEqual([".suspended-memory"]);
  const found = await findMemory(at.store, "web-1");
  expect(found).toEqual({ path: join(folder, ".suspended-memory"), bytes: 10 });
  expect(await readFile(found?.path ?? "", "utf8")).toBe("the memory");
  expect((await stat(found?.path ?? "")).mode & 0o777).toBe(0o600);
  await removeMemory(at.store, "web-1");
  await removeMemory(at.store, "web-1");
  expect(await readdir(folder)).toEqual([]);
});

test("a stream that breaks leaves nothing, and an earlier memory as it was", async () => {
  await writeMemory(at.store, "web-1", stream("earlier"));
  const breaks = Readable.from(
    (function* () {
      yield Buffer.from("half");
      throw new Error("QEMU is gone");
    })(),
  );
  await expect(writeMemory(at.store, "web-1", breaks)).rejects.toThrow("QEMU is gone");
  expect(await readdir(folder)).toEqual([".suspended-memory"]);
  expect((await findMemory(at.store, "web-1"))?.bytes).toBe(7);
});

test("a link in its place is not it, and what it leads to stays", async () => {
  const other = join(at.base, "other");
  await writeFile(other, "somebody's");
  await symlink(other, join(folder, ".suspended-memory"));
  expect(await findMemory(at.store, "web-1")).toBe(null);
  await removeMemory(at.store, "web-1");
  expect(await readFile(other, "utf8")).toBe("somebody's");
});

test("disks are the same only where each is: name, size and time", () => {
  const disk = fc.record({
    name: fc.constantFrom("root", "data", "log"),
    bytes: fc.integer({ min: 0, max: 2 }),
    modifiedNs: fc.constantFrom("1", "2"),
  });
  const disks = fc.uniqueArray(disk, { selector: ({ name }) => name });
  const sorted = (of: Suspension["disks"]) => [...of].sort((a, b) => a.name.localeCompare(b.name));
  fc.assert(
    fc.property(disks, disks, (then, now) => {
      const changed = changedSince({ disks: then }, now);
      expect(changed.length === 0).toBe(JSON.stringify(sorted(then)) === JSON.stringify(sorted(now)));
      const names = new Set<string>([...then, ...now].map(({ name }) => name));
      expect(changed.every((name) => names.has(name))).toBe(true);
    }),
  );
});
