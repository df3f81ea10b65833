/** A program that somebody else has written ends with its time, and one that cannot be started is an answer and no exception. */
import { expect, test } from "vitest";
import { runBounded } from "../src/index.ts";

const env = { PATH: "/usr/bin:/bin" };

test("one that does not end within its time is ended", async () => {
  const end = await runBounded(["sh", "-c", "cat; exec sleep 1000"], { input: "x", limitMs: 500, env });
  expect(end).toMatchObject({ code: null, signal: "SIGKILL", isLate: true });
});

test("one that cannot be started tells why", async () => {
  const end = await runBounded(["/nowhere/godwit-program"], { input: "x", limitMs: 60_000, env });
  expect(end).toEqual({
    ...{ code: null, signal: null, isLate: false },
    lastLine: "it could not be started: ENOENT",
  });
});

test("how one ended by itself is told, with the last line of its standard error", async () => {
  const run = { input: "", limitMs: 60_000, env };
  expect(await runBounded(["sh", "-c", "echo no >&2; exit 3"], run)).toEqual({
    ...{ code: 3, signal: null, isLate: false, lastLine: "no" },
  });
});
