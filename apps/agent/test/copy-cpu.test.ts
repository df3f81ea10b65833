/** What a process uses of the CPU, without the threads that are named as vCPUs. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CopyCpu, processMs } from "../src/moves/copy-cpu.ts";

/** Two threads that only run, the second named as QEMU names the thread of a vCPU. */
const twoThreads = `
  use threads;
  async {
    open(my $name, ">", "/proc/thread-self/comm");
    print $name "CPU 0/TCG";
    close $name;
    print "runs\n";
    1 while 1;
  };
  1 while 1;
`;
const oneThread = 'print "runs\n"; 1 while 1;';

async function spin(program: string): Promise<{ pid: number } & AsyncDisposable> {
  const child = spawn("perl", ["-e", `$| = 1; ${program}`], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  const { pid } = child;
  if (pid === undefined) throw new Error("perl did not start.");
  return {
    pid,
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("the threads of vCPUs do not count, all others do", async () => {
  await using child = await spin(twoThreads);
  const since = new CopyCpu(child.pid, false);
  const whole = (): number => processMs(statOf(child.pid)) ?? 0;
  const before = whole();
  await expect.poll(() => since.used()?.qemuMs ?? 0, { timeout: 60_000 }).toBeGreaterThan(100);
  const used = since.used()?.qemuMs ?? 0;
  expect(used).toBeLessThan(whole() - before);
});

test("of a new process its start counts too, and of one that has ended there is no figure", async () => {
  const child = await spin(oneThread);
  const fromStart = new CopyCpu(child.pid, true);
  await expect.poll(() => fromStart.used()?.qemuMs ?? 0, { timeout: 60_000 }).toBeGreaterThan(0);
  expect(fromStart.used()?.agentMs).toBeGreaterThanOrEqual(0);
  await child[Symbol.asyncDispose]();
  expect(fromStart.used()).toBeNull();
});

test("a process's name may look like fields", () => {
  expect(processMs("7 (a) b (c)) S 1 7 7 0 -1 4194304 100 0 0 0 12 30 0 0 20 0 3 0 5")).toBe(420);
  expect(processMs("")).toBeNull();
});

const statOf = (pid: number): string => readFileSync(`/proc/${String(pid)}/stat`, "utf8");
