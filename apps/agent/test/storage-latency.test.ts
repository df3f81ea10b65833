/** How long reads of datastores take, from a simulated storage and from a real file. */
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { SourceAbsent } from "../src/health/health-source.ts";
import { directReadMs, StorageLatency } from "../src/health/storage-latency.ts";

const everyMs = 30_000;

/** Storage whose reads take what the test says; null: it does not end. */
function storage(takes: Record<string, number | null>) {
  const pending: (() => void)[] = [];
  const source = new StorageLatency({
    names: () => Object.keys(takes),
    read: (name) => {
      const tookMs = takes[name] ?? null;
      return tookMs === null
        ? new Promise((resolve) => {
            pending.push(() => {
              resolve(1);
            });
          })
        : Promise.resolve(tookMs);
    },
  });
  let nowMs = 0;
  return {
    takes,
    started: pending,
    /** So many looks; what the last one tells. */
    look: async (times: number) => {
      let told: string[] = [];
      for (let count = 0; count < times; count += 1) {
        told = source
          .look(nowMs)
          .map(({ component, state, evidence }) => `${state} ${component}: ${evidence}`);
        nowMs += everyMs;
        await setImmediate();
      }
      return told;
    },
  };
}

test("the middle of some reads counts, not one of them; each datastore for itself", async () => {
  const { takes, look } = storage({ fast: 2, slow: 250 });
  expect(await look(3)).toEqual([]);
  expect(await look(1)).toEqual([
    "moderate datastore slow: a small read of it takes 250 ms (the middle of 3)",
  ]);
  takes.slow = 2;
  expect(await look(4)).toEqual([]);
  takes.fast = 4000;
  expect(await look(1)).toEqual([]);
  takes.fast = 2;
  expect(await look(5)).toEqual([]);
  takes.slow = 2500;
  expect(await look(6)).toEqual(["severe datastore slow: a small read of it takes 2.5 s (the middle of 5)"]);
});

test("a read that does not end counts with its time, is not started again, and is forgotten with its end", async () => {
  const { takes, look, started } = storage({ shared: 2 });
  await look(5);
  takes.shared = null;
  expect(await look(2)).toEqual([]);
  expect(await look(2)).toEqual(["severe datastore shared: a read of it has not ended for 90.0 s"]);
  expect(started).toHaveLength(1);
  takes.shared = 2;
  started[0]?.();
  expect(await look(3)).toEqual([]);
});

test("a host without datastores has nothing to look at, and one that is removed is forgotten", async () => {
  const { takes, look } = storage({ slow: 500 });
  expect(await look(4)).toHaveLength(1);
  takes.slow = 2;
  delete takes.slow;
  await expect(look(1)).rejects.toThrow(SourceAbsent);
  takes.slow = 500;
  expect(await look(3)).toEqual([]);
});

test("a read that hangs until it fails, or is ended, counts with its time: that is no datastore that cannot be measured", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hung-"));
  const { PATH = "" } = process.env;
  try {
    await writeFile(join(folder, "dd"), "#!/bin/sh\nexec sleep 600\n", { mode: 0o755 });
    process.env.PATH = `${folder}:${PATH}`;
    expect(await directReadMs(join(folder, "file"), 200)).toBeGreaterThanOrEqual(200);
  } finally {
    process.env.PATH = PATH;
    await rm(folder, { recursive: true });
  }
});

test("a real file is read past the cache; where there is none, or a link, nothing is measured", async () => {
  // Not in memory, whose file systems know no direct reads.
  const folder = await mkdtemp(join(process.cwd(), ".latency-"));
  try {
    const file = join(folder, "file");
    await writeFile(file, "{}");
    const tookMs = await directReadMs(file);
    expect(tookMs).toBeGreaterThan(0);
    await symlink(file, join(folder, "link"));
    expect(await directReadMs(join(folder, "link"))).toBe(null);
    expect(await directReadMs(join(tmpdir(), "none-of-this-name"))).toBe(null);
  } finally {
    await rm(folder, { recursive: true });
  }
});
