/** A log that cannot be written: on a full disk, in a pipe that nobody reads, to a reader that has gone. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const writer = join(import.meta.dirname, "log-writer.ts");

/** Rounds of 100 lines of 1 KB: 10,000 lines, more than twice what a log keeps waiting. */
const rounds = 100;

const start = (stdout: "pipe" | number, count = rounds, ...more: string[]): ChildProcess =>
  spawn(process.execPath, ["--no-warnings", writer, String(count), ...more], {
    stdio: ["ignore", stdout, "pipe"],
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
  });

/** A writer that was held up would not end. */
async function end(child: ChildProcess): Promise<{ dropped: number; rssMib: number }> {
  let said = "";
  child.stderr?.on("data", (data: Buffer) => {
    said += data.toString();
  });
  const signal = AbortSignal.timeout(60_000);
  const [[code]] = (await Promise.all([
    once(child, "exit", { signal }),
    child.stderr === null ? undefined : once(child.stderr, "end", { signal }),
  ])) as [[number | null], unknown];
  expect(code).toBe(0);
  return JSON.parse(said.slice(said.indexOf("{"))) as { dropped: number; rssMib: number };
}

const numbers = (text: string): number[] => [...text.matchAll(/"n":(\d+)/g)].map(([, n]) => Number(n));

test("a pipe that nobody reads holds up neither the program nor its end", async () => {
  const child = start("pipe");
  child.stdout?.pause();
  const { dropped, rssMib } = await end(child);
  expect(dropped).toBeGreaterThan(4000);
  expect(rssMib).toBeLessThan(200);
});

test("a disk that is full ends nothing", async () => {
  await using full = await open("/dev/full", "w");
  const { dropped } = await end(start(full.fd));
  expect(dropped).toBeGreaterThan(4000);
});

test("a reader that has gone ends nothing", async () => {
  const child = start("pipe");
  child.stdout?.destroy();
  expect((await end(child)).dropped).toBeGreaterThan(5000);
});

test("who reads late is told how many lines there were beside those that it reads", async () => {
  const child = start("pipe", rounds, "wait");
  let text = "";
  const ended = end(child);
  const { stdout } = child;
  if (stdout === null) throw new Error("The writer has no pipe.");
  stdout.pause();
  const allRead = once(stdout, "end");
  child.stderr?.once("data", () => {
    stdout.on("data", (data: Buffer) => {
      text += data.toString();
    });
    stdout.resume();
  });
  const { dropped } = await ended;
  await allRead;
  const told = Number(/"dropped":(\d+)/.exec(text)?.[1]);
  expect(told).toBe(dropped);
  expect(numbers(text).length + told).toBe(10_000);
  expect(text).toContain("the last line");
});

test.each([
  ["as soon as it can", []],
  ["only after the program has ended", ["held"]],
])(
  "a file has every line in its order, also those of the last moment: the disk takes them %s",
  async (_, more) => {
    const folder = await mkdtemp(join(tmpdir(), "godwit-log-"));
    try {
      const path = join(folder, "log");
      await using file = await open(path, "w");
      // Fewer than what waits, however slow the disk is.
      expect((await end(start(file.fd, 30, ...more))).dropped).toBe(0);
      expect(numbers(await readFile(path, "utf8"))).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
