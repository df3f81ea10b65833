/** The mark of a lease that was revoked: what is asked makes none, and what else has its name on the storage is neither followed nor waited for. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isRevoked, looksRevoked, revokeLease } from "../src/leases/revoked-lease.ts";

let folder: string;
let place: { path: string };
let mark: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "godwit-revoked-"));
  place = { path: join(folder, "lease-1") };
  mark = `${place.path}.revoked`;
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

test("a lease is revoked from when that is written, and not by being asked", async () => {
  expect([await looksRevoked(place), await isRevoked(place), await looksRevoked(place)]).toEqual([
    ...[false, false, false],
  ]);
  await revokeLease(place, "host a fences host b");
  await revokeLease(place, "host c fences host b");
  expect([await looksRevoked(place), await isRevoked(place)]).toEqual([true, true]);
  expect(await readFile(mark, "utf8")).toBe("host a fences host b\nhost c fences host b\n");
});

test.each([
  ["a link", ["ln", "-s", "elsewhere"]],
  ["a folder", ["mkdir"]],
  ["a pipe", ["mkfifo"]],
])("%s of its name is an error at once, and no answer", async (_, [program = "", ...words]) => {
  execFileSync(program, [...words, mark]);
  await expect(looksRevoked(place)).rejects.toThrow();
  await expect(isRevoked(place)).rejects.toThrow();
  await expect(revokeLease(place, "host a fences host b")).rejects.toThrow();
  expect(existsSync(join(folder, "elsewhere"))).toBe(false);
});

test("full storage has a mark if it was made before, and keeps none that could not be made", async () => {
  const small = join(folder, "small");
  await mkdir(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,nr_inodes=8", "tmpfs", small]);
  try {
    const [revoked, other] = [{ path: join(small, "lease-1") }, { path: join(small, "lease-2") }];
    await revokeLease(revoked, "host a fences host b");
    const make = (number: number) => writeFile(join(small, `file-${String(number)}`), "");
    await expect(Promise.all(Array.from({ length: 8 }, (_, number) => make(number)))).rejects.toThrow();
    expect([await isRevoked(revoked), await isRevoked(other)]).toEqual([true, false]);
    await expect(revokeLease(other, "host a fences host c")).rejects.toMatchObject({ code: "ENOSPC" });
    expect(await isRevoked(other)).toBe(false);
  } finally {
    execFileSync("umount", [small]);
  }
});
