/** What a guest prints for ever does not fill the host's /run, and readers go on at the same positions. */
import { appendFile, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SerialOutput } from "../src/consoles/serial-output.ts";
import { keptBytes, limitLog } from "../src/qemu/log-limit.ts";

const folder = await mkdtemp(join(tmpdir(), "godwit-log-"));
afterAll(() => rm(folder, { recursive: true }));

const mebibyte = 1024 * 1024;
const takenBytes = async (path: string): Promise<number> => (await stat(path)).blocks * 512;

test("a log that grows for ever takes a bounded space, keeps its size, and has the newest whole", async () => {
  const path = join(folder, "serial.log");
  let most = 0;
  for (let written = 0; written < 64; written++) {
    await appendFile(path, Buffer.alloc(mebibyte, 65 + (written % 26)));
    await limitLog(path);
    most = Math.max(most, await takenBytes(path));
  }
  expect((await stat(path)).size).toBe(64 * mebibyte);
  expect(most).toBeLessThanOrEqual(2 * keptBytes + mebibyte);
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(keptBytes), 0, keptBytes, 64 * mebibyte - keptBytes);
  await file.close();
  expect(buffer.includes(0)).toBe(false);
  expect(buffer.at(-1)).toBe(65 + (63 % 26));
});

test("a short log is left alone", async () => {
  const path = join(folder, "short.log");
  await appendFile(path, "login: ");
  await limitLog(path);
  expect(await takenBytes(path)).toBeGreaterThan(0);
});

test("a reader that was left behind goes on with what is still there, and reads no zeros", async () => {
  const path = join(folder, "behind.log");
  await appendFile(path, Buffer.alloc(32 * mebibyte, "x"));
  await limitLog(path);
  await using output = await SerialOutput.open(path, () => 0);
  output.end();
  let read = 0;
  for await (const piece of output.pieces()) {
    expect(piece.includes(0)).toBe(false);
    read += piece.length;
  }
  expect(read).toBe(keptBytes);
});
