/** QEMU is asked once for what it can do, and again when another one is installed. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { CachedQemuFacts, type KnownQemu } from "../src/qemu-facts.ts";

async function withProgram(story: (program: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "godwit-facts-"));
  try {
    const program = join(folder, "qemu");
    await writeFile(program, "one");
    await story(program);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const known = (asked: number) => ({ facts: { version: `1.0.${String(asked)}` } }) as KnownQemu;

test("the same program is asked once, also by several at a time", async () => {
  await withProgram(async (program) => {
    let asked = 0;
    const cached = new CachedQemuFacts(program, () => Promise.resolve(known((asked += 1))));
    const found = await Promise.all([cached.now(), cached.now()]);
    expect([...found, await cached.now()]).toEqual([known(1), known(1), known(1)]);
  });
});

test("a program that is put in its place is asked again", async () => {
  await withProgram(async (program) => {
    let asked = 0;
    const cached = new CachedQemuFacts(program, () => Promise.resolve(known((asked += 1))));
    await cached.now();
    await writeFile(`${program}.new`, "two");
    await rename(`${program}.new`, program);
    expect(await cached.now()).toEqual(known(2));
    await rm(program);
    expect(await cached.now()).toEqual(known(3));
    expect(await cached.now()).toEqual(known(4));
  });
});

test("what could not be asked is asked again", async () => {
  await withProgram(async (program) => {
    let asked = 0;
    const cached = new CachedQemuFacts(program, () =>
      (asked += 1) === 1 ? Promise.reject(new Error("not now")) : Promise.resolve(known(asked)),
    );
    await expect(cached.now()).rejects.toThrow("not now");
    expect(await cached.now()).toEqual(known(2));
  });
});

test("a program without a path is found as the system finds it", async () => {
  await withProgram(async (program) => {
    const before = process.env.PATH;
    process.env.PATH = `/nowhere:${dirname(program)}`;
    try {
      let asked = 0;
      const cached = new CachedQemuFacts("qemu", () => Promise.resolve(known((asked += 1))));
      await cached.now();
      expect(await cached.now()).toEqual(known(1));
    } finally {
      process.env.PATH = before;
    }
  });
});
