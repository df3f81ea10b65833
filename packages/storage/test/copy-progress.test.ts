/** How far the copy of an image is, from what its file takes on the storage. */
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageCopy } from "@godwit/contract";
import { expect, test, vi } from "vitest";
import { progressOf, watchCopy } from "../src/copy-progress.ts";

const mib = 2 ** 20;

test("the rate is that of the last seconds, and the time left follows from it", () => {
  const samples = [0, 200, 300, 310, 320, 330, 340].map((copied, second) => ({
    atMs: second * 1000,
    copiedBytes: copied * mib,
  }));
  expect(progressOf("root", 440 * mib, samples)).toEqual({
    ...{ disk: "root", phase: "copying", totalBytes: 440 * mib, copiedBytes: 340 * mib },
    ...{ bytesPerSecond: 28 * mib, etaMs: expect.closeTo(3571.4, 1) as number },
  });
});

test("before anything is copied no time is promised, and no more is copied than there is", () => {
  expect(progressOf("root", mib, [{ atMs: 0, copiedBytes: 0 }])).toMatchObject({
    bytesPerSecond: 0,
    etaMs: null,
  });
  const more = [
    { atMs: 0, copiedBytes: 0 },
    { atMs: 1000, copiedBytes: 2 * mib },
  ];
  expect(progressOf("root", mib, more)).toMatchObject({ copiedBytes: mib, etaMs: 0 });
});

test("a file that grows is told of, and its end as the storage writing out; one that is there at once is not", async () => {
  const folder = await mkdtemp(join(tmpdir(), "godwit-copy-"));
  const path = join(folder, "copy");
  const told: ImageCopy[] = [];
  const of = { disk: "root", totalBytes: 8 * mib };
  watchCopy(path, of, (progress) => told.push(progress))[Symbol.dispose]();
  expect(told).toEqual([]);
  {
    using _watch = watchCopy(path, of, (progress) => told.push(progress));
    await writeFile(path, Buffer.alloc(2 * mib, 1));
    await vi.waitFor(
      () => {
        expect(told.length).toBeGreaterThan(0);
      },
      { timeout: 60_000 },
    );
    await appendFile(path, Buffer.alloc(2 * mib, 1));
  }
  expect(told[0]).toMatchObject({ phase: "copying", totalBytes: 8 * mib });
  expect(told[0]?.copiedBytes).toBeGreaterThan(0);
  expect(told.at(-1)).toMatchObject({ phase: "flushing", copiedBytes: 8 * mib, etaMs: null });
  await rm(folder, { recursive: true });
});
