/** A process that cannot be looked at is neither gone nor ended; a pid that another process has is never signalled. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { endProcess, identifyProcess, isAlive, processArguments, signalProcess } from "../src/index.ts";

const withoutDescriptors = fileURLToPath(new URL("out-of-descriptors.ts", import.meta.url));

async function sleeper() {
  const child = spawn("sleep", ["600"], { stdio: "ignore" });
  await once(child, "spawn");
  const identity = await identifyProcess(child.pid ?? 0);
  if (identity === null) throw new Error("it ended at once");
  return { child, identity };
}

test("without descriptors a process is not taken for gone, and gets no signal until it can be seen", async () => {
  const { child, identity } = await sleeper();
  const { stdout } = await promisify(execFile)("prlimit", [
    ...["--nofile=48:48", process.execPath, withoutDescriptors, String(identity.pid)],
  ]);
  expect(JSON.parse(stdout)).toEqual({
    looked: "PROCESS_UNREADABLE",
    unknown: "null",
    signalled: "PROCESS_UNREADABLE",
    afterwards: "true",
    atLast: "false",
  });
  expect(child.exitCode).toBeNull();
});

test("a process with the same pid and another start time is left alone", async () => {
  const { child, identity } = await sleeper();
  const exit = once(child, "exit");
  try {
    const forged = { ...identity, startTicks: identity.startTicks - 1 };
    expect(await isAlive(forged)).toBe(false);
    expect(await signalProcess(forged, "SIGKILL")).toBe(false);
    await endProcess(forged, "SIGKILL", 0);
    expect(await isAlive(identity)).toBe(true);
    expect(await processArguments(identity.pid)).toEqual(["sleep", "600"]);
  } finally {
    await endProcess(identity, "SIGTERM", 30_000);
  }
  expect(await exit).toEqual([null, "SIGTERM"]);
  expect(await processArguments(identity.pid)).toBeNull();
});

test.each([0, -1, Number.NaN, 1.5])(
  "%s is nobody's pid: no signal goes to a group of processes",
  async (pid) => {
    expect(await identifyProcess(pid)).toBeNull();
    expect(await signalProcess({ pid, startTicks: 1 }, "SIGKILL")).toBe(false);
  },
);
